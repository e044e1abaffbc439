// Two clocks for an hour of simulated time (bench/native/drift.cc): how soon they run as one, and how steadily.
import { fixed } from './measure.mjs';
import { nativeProgram } from './native.mjs';
import { lineChart } from './plot.mjs';

export async function drift({ hours }) {
  const native = await nativeProgram('drift');
  const seconds = Math.round(hours * 3600);
  const runs = [];
  for (const [ppm, stamps] of [
    [200, 'stamps'],
    [-200, 'stamps'],
    [200, 'arrival'],
  ]) {
    runs.push(await native(ppm, stamps, seconds));
  }
  const rows = runs.map((one) => ({
    clock: `${one.ppm > 0 ? '+' : ''}${one.ppm} ppm, ${one.stamps ? 'device stamps' : 'arrival stamps'}`,
    'estimate to 10 ppm, s': one.trackerTo10ppm,
    'sound to 10 ppm, s': one.heardTo10ppm,
    'wander rms / peak, us': `${one.wanderUs.rms} / ${one.wanderUs.peak}`,
    'wobble rms / peak, ppm': `${one.wobblePpm.rms} / ${one.wobblePpm.peak}`,
    'frames lost, doubled or silent': one.starvedFrames + one.lost + one.trimmed,
    breaks: one.breaks + one.holes + one.resyncs,
    'lag + limiter, ms': `${one.lagMs} + ${one.limiterMs}`,
  }));
  const names = ['+200 ppm, device stamps', '-200 ppm, device stamps', '+200 ppm, arrival stamps'];
  // A point: seconds, true ppm; the mean, least and greatest difference between the measured rate and the true one;
  // the age minus its mean.
  const settled = runs.map(({ points }) => points.filter(([at]) => at >= 30));
  const end = seconds / 60;
  return {
    note: `${fixed(hours, 2)} simulated hours`,
    tables: { drift: rows },
    plots: {
      'drift-ratio.svg': lineChart({
        title: 'Ratio that is heard, less the true one (mean, least and most of each 10 s)',
        x: { label: 'minutes', from: 0, to: end, ticks: ticks(end) },
        y: { label: 'ppm', from: -3, to: 3, ticks: [-3, -2, -1, 0, 1, 2, 3] },
        series: [2, 0].map((i) => ({
          name: names[i],
          points: settled[i].map(([at, , mean]) => [at / 60, mean]),
          band: settled[i].map(([at, , , least, most]) => [at / 60, least, most]),
        })),
      }),
      'drift-start.svg': lineChart({
        title: 'The first ten seconds: ratio that is heard, less the true one',
        x: { label: 'seconds', from: 0, to: 10, ticks: [0, 2, 4, 6, 8, 10] },
        y: { label: 'ppm', from: -300, to: 300, ticks: [-300, -200, -100, 0, 100, 200, 300] },
        series: [0, 1, 2].map((i) => ({
          name: names[i],
          points: runs[i].points.filter(([at]) => at < 10).map(([at, , mean]) => [at, mean]),
        })),
      }),
      'drift-offset.svg': lineChart({
        title: 'Age of what is heard, less its mean (each 10 s)',
        x: { label: 'minutes', from: 0, to: end, ticks: ticks(end) },
        y: { label: 'us', from: -60, to: 60, ticks: [-60, -40, -20, 0, 20, 40, 60] },
        series: [2, 0].map((i) => ({
          name: names[i],
          points: settled[i].map(([at, , , , , age]) => [at / 60, age]),
        })),
      }),
    },
    data: runs,
  };
}

function ticks(end) {
  return Array.from({ length: 7 }, (_, i) => fixed((i * end) / 6, 1));
}
