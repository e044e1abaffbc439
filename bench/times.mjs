// How exactly a source dates its frames, compared with another program that plays them and reads
// their times from the server (native/player.cc).
import { startPulseAudio } from '../test/servers.mjs';
import { crossBuildWindows, whyNoCrossCompiler } from '../scripts/cross-windows.mjs';
import { whyNoWine } from '../test/windows/prepare.mjs';
import { withWine } from '../test/windows/wine.mjs';
import { fixed, median, percentiles } from './measure.mjs';
import { nativeProgram } from './native.mjs';

const rate = 48000;
const turn = 65536; // frames of the player's tones
const places = { microphone: 'micfeed', loopback: 'speakers' };

/**
 * `capture`: runs parts/times.mjs and gives what it reports. Rows for the table.
 * @param {{ system: string, seconds: number, env: Record<string, string>, wine?: boolean,
 *   capture: (seconds: number) => Promise<Record<string, [number, string][]>> }} options
 */
export async function times({ system, seconds, env, wine = false, capture }) {
  const player = await nativeProgram('player', env);
  if (!player) return [];
  // Until the capture is over. Its start takes time: in Wine ten seconds and more.
  const playing = Object.values(places).map((sink) => player(sink, seconds + 30, rate));
  const heard = await capture(seconds);
  const played = await Promise.all(playing);
  return Object.keys(places).map((name, i) => {
    const truth = truthOf(played[i], wine);
    const errors = heard[name].map(([turns, time]) => {
      const at = BigInt(time);
      const expected = truth.frameAt(at) / turn;
      const off = expected - turns - Math.round(expected - turns);
      return (off * turn * 1000) / rate;
    });
    const offset = median(errors);
    return {
      system,
      from: name,
      'error ms, median': fixed(offset, 3),
      'error ms, p99': fixed(percentiles(errors.map(Math.abs)).p99, 3),
      'jitter ms, p99': fixed(percentiles(errors.map((one) => Math.abs(one - offset))).p99, 3),
      "the player's own, p99": fixed(truth.scatterMs, 3),
      chunks: errors.length,
    };
  });
}

// Rows [frame, now, now on the raw clock, how long the answer took]. Quick answers are exact; of those around an
// instant, the median is the frame that was heard then.
function truthOf(rows, wine) {
  const usual = median(rows.map(([, , , took]) => took));
  const clock = wine ? 2 : 1; // Wine's performance counter is Linux' raw clock
  const begun = BigInt(rows[0][clock]);
  const good = rows
    .filter(([, , , took]) => took <= usual)
    .map((row) => {
      const at = Number(BigInt(row[clock]) - begun);
      return { at, ahead: row[0] - at * rate * 1e-9 };
    });
  const aheadAt = (at) => {
    const near = good.filter((one) => Math.abs(one.at - at) < 2e9);
    return median(near.map(({ ahead }) => ahead));
  };
  const scatter = percentiles(good.map(({ at, ahead }) => Math.abs(ahead - aheadAt(at)))).p99;
  return {
    scatterMs: (scatter * 1000) / rate,
    frameAt(time) {
      const at = Number(time - begun);
      return at * rate * 1e-9 + aheadAt(at);
    },
  };
}

/** In Wine, on its own PulseAudio. */
export async function timesInWine(seconds) {
  const reason = whyNoWine() ?? whyNoCrossCompiler();
  if (reason) {
    console.log(`absent: Wine (${reason})`);
    return [];
  }
  crossBuildWindows();
  const pulse = await startPulseAudio();
  try {
    return await withWine({ env: pulse.env }, (wine) =>
      times({
        system: 'Wine',
        seconds,
        env: pulse.env,
        wine: true,
        capture: async () => {
          const command = [wine.node, 'bench/parts/times.mjs', String(seconds)];
          const { stdout, stderr } = await wine.run(command, { limitMs: (seconds + 60) * 1000 });
          if (!stdout) throw new Error(stderr);
          return JSON.parse(stdout);
        },
      }),
    );
  } finally {
    await pulse.stop();
  }
}
