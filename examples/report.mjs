// The report that the demo prints at its end. It contains every counter of a loss.

/**
 * @param {object} recording
 * @returns {string[]} lines
 */
export function reportLines({
  system,
  wav,
  picture,
  format,
  microphone,
  latencies,
  stats,
  failures,
}) {
  const { meeting, mix, virtualMic } = stats;
  const { mic, system: loopback, frames, limiterGain } = meeting;
  const lostByFile = mix.link.reduce((sum, { lostFrames = 0 }) => sum + lostFrames, 0);
  const lines = [
    '',
    `recorded       ${(frames / format.sampleRate).toFixed(2)} s: ${frames} frames of ` +
      `${format.channels} channels, ${format.sampleRate} Hz, on ${system}`,
    `  file         ${wav}`,
    `  picture      ${picture || 'none, there is no audio'}`,
    `virtual mic    ${microphone ? `select "${microphone.name}" as microphone in other programs` : 'none'}`,
  ];
  if (latencies.length > 0) {
    const [least, most] = [Math.min(...latencies), Math.max(...latencies)];
    lines.push(`  latency      ${least.toFixed(0)} to ${most.toFixed(0)} ms from heard to played`);
  }
  lines.push(
    `limiter        ${limiterGain < 1 ? `lowered the mix by up to ${(-20 * Math.log10(limiterGain)).toFixed(1)} dB` : 'was not needed'}`,
    '',
    row('', 'microphone', 'system', 'mix', 'virtual mic'),
    row('frames', frames, frames, frames, virtualMic?.frames),
    row(
      'drift against this computer, ppm',
      ppm(mic.driftPpm),
      ppm(loopback.driftPpm),
      '',
      ppm(virtualMic?.driftPpm),
    ),
    row('gaps of the device', mic.discontinuities, loopback.discontinuities),
    row('frames lost in them', mic.lostFrames, loopback.lostFrames),
    row('frames that arrived too late', mic.trimmedFrames, loopback.trimmedFrames),
    row(
      'frames of silence without a loss',
      mic.silentFrames,
      loopback.silentFrames,
      '',
      virtualMic?.silentFrames,
    ),
    row('frames skipped, machine slept', mic.skippedFrames, loopback.skippedFrames),
    row('frames too late for the tracks', '', '', meeting.lateFrames),
    row('frames that the file lost', '', '', lostByFile),
    row('underruns', '', '', '', virtualMic?.underruns),
    row('frames of silence in them', '', '', '', virtualMic?.underrunFrames),
  );
  for (const { message } of failures) lines.push('', `failed: ${message}`);
  return lines;
}

const ppm = (value) => value?.toFixed(1);

function row(title, ...values) {
  const cells = values.map((value) => String(value ?? '').padStart(13));
  return `${title.padEnd(34)}${cells.join('')}`.trimEnd();
}
