// Common code of the benchmark's parts: a part prints one line of JSON at its end.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

export function report(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
}

export function percentiles(values) {
  const sorted = Float64Array.from(values).sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

export function median(values) {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

export function fixed(number, digits = 2) {
  return Number(number.toFixed(digits));
}

/** Shares of the values in bins whose bounds are `perDecade` to a decade: [lower bound, share]. */
export function histogram(values, from, to, perDecade = 10) {
  const count = Math.round(Math.log10(to / from) * perDecade);
  const bins = new Array(count).fill(0);
  for (const value of values) {
    const bin = Math.floor(Math.log10(Math.max(value, from) / from) * perDecade);
    bins[Math.min(bin, count - 1)] += 1 / values.length;
  }
  return bins.map((share, i) => [from * 10 ** (i / perDecade), share]);
}

const built = process.env.PATCHCORD_INSTRUMENTS ?? join(root, 'build/bench/index.js');

/** The tests' measuring tools; they are TypeScript. */
export async function buildInstruments() {
  const { build } = await import('tsup');
  await build({
    config: false,
    entry: [join(root, 'test/instruments/index.ts')],
    format: ['cjs'],
    outDir: join(root, 'build/bench'),
    silent: true,
  });
}

export async function instruments() {
  if (!existsSync(built)) await buildInstruments();
  return (await import(pathToFileURL(built).href)).default;
}
