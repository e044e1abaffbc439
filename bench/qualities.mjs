// `node bench/qualities.mjs`: the tables of docs/resampling.md, measured.
import { nativeProgram } from './native.mjs';

const measure = await nativeProgram('qualities');
const rows = (await measure()).map(
  ({ quality, variable, flatHz, snrDb, aliasDb, latencyMs, cost }) => ({
    quality: variable ? `${quality}, + 100 ppm` : quality,
    'flat to Hz': flatHz,
    'SNR dB, 1 / 7 / 15 kHz': snrDb.join(' / '),
    'alias dB, to 44.1 / 16 kHz': aliasDb.join(' / '),
    'latency ms, to 48 / 16 kHz': latencyMs.join(' / '),
    'cost of high': cost,
  }),
);
const columns = Object.keys(rows[0]);
const line = (cells) => `| ${cells.join(' | ')} |`;
console.log(line(columns));
console.log(line(columns.map(() => '---')));
for (const row of rows) console.log(line(Object.values(row)));
