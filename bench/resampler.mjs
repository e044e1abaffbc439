// Compares resamplers: ours, libsoxr, libsamplerate and speexdsp (bench/native), and packages from npm. Every round
// runs each engine once for each conversion. Speeds are medians over the rounds, relative to each round's own libsoxr
// HQ, so that a machine that slows down favours none.
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { fixed, instruments, median } from './measure.mjs';
import { nativeProgram } from './native.mjs';
import { whyNoPeers } from './peers.mjs';
import { lineChart } from './plot.mjs';

const run = promisify(execFile);
const npmPart = fileURLToPath(new URL('parts/npm-resamplers.mjs', import.meta.url));
const reference = 'libsoxr HQ';
const conversions = [
  '48 > 44.1',
  '44.1 > 48',
  '48 > 16',
  '96 > 44.1',
  '44.1 > 16',
  '48 > 48 + 100 ppm',
];

export async function resampler({ rounds }) {
  const native = await nativeProgram('resampler');
  const reason = whyNoPeers();
  if (reason) console.log(`absent: npm packages to compare with (${reason})`);
  const npm = async (...args) =>
    reason ? {} : JSON.parse((await run(process.execPath, [npmPart, ...args])).stdout);

  const { kernel, ...quality } = await native('quality');
  Object.assign(quality, await npm('quality'));
  const speeds = await speedRounds(rounds, native, npm);
  const absent = !(reference in quality);
  const unit = absent ? 'patchcord high' : reference;

  const speed = [];
  for (const engine of Object.keys(quality)) {
    const row = { engine };
    for (const conversion of conversions) {
      const seen = speeds.map((round) => round[conversion] ?? {}).filter((one) => one[engine]);
      if (seen.length === 0) continue;
      const ratio = median(seen.map((one) => one[engine] / (one[unit] ?? one[engine])));
      row[conversion] = Number(ratio.toPrecision(2));
    }
    row['x real time, 48 > 44.1'] = Math.round(
      median(speeds.map((round) => round['48 > 44.1'][engine] ?? NaN)),
    );
    speed.push(row);
  }

  const sound = Object.entries(quality).map(([engine, figures]) => {
    const [down, up, low] = conversions.map((name) => figures[name] ?? {});
    const three = ({ snrDb }) => (snrDb ? Object.values(snrDb).join(' / ') : '');
    return {
      engine,
      'SNR dB 48 > 44.1': three(down),
      'SNR dB 44.1 > 48': three(up),
      'alias dB': [down, up, low].map(({ aliasDb }) => aliasDb ?? '').join(' / '),
      'latency ms': [down, up, low].map(({ latencyMs }) => latencyMs ?? '').join(' / '),
      'SNR dB moving': figures.moving ? Object.values(figures.moving).join(' / ') : '',
    };
  });
  return {
    note: `kernel: ${kernel}; ${rounds} rounds; speeds relative to ${unit}`,
    tables: { 'resampler speed': speed, 'resampler sound': sound },
    plots: { 'resampler-spectrum.svg': await spectra(native, npm) },
    data: { quality, speeds },
  };
}

async function speedRounds(rounds, native, npm) {
  const all = [];
  for (let i = 0; i < rounds; i++) {
    const merged = await native('speed');
    for (const [name, engines] of Object.entries(await npm('speed'))) {
      Object.assign(merged[name], engines);
    }
    all.push(merged);
  }
  return all;
}

async function spectra(native, npm) {
  const { fft } = await instruments();
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-bench-'));
  try {
    await native('spectrum', folder);
    await npm('spectrum', folder);
    const shown = [
      'wave-resampler sinc',
      'libsamplerate FASTEST',
      'speexdsp q10',
      'libsoxr HQ',
      'patchcord high',
    ];
    const there = readdirSync(folder);
    const series = shown
      .filter((name) => there.includes(`${name}.f32`))
      .map((name) => {
        const bytes = readFileSync(join(folder, `${name}.f32`));
        const samples = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
        return { name, points: spectrumPoints(samples.subarray(8000), fft) };
      });
    return lineChart({
      title: '15 kHz at -1 dBFS, converted from 44.1 to 48 kHz',
      x: { label: 'kHz', from: 0, to: 24, ticks: [0, 4, 8, 12, 16, 20, 24] },
      y: { label: 'dBFS', from: -190, to: 0, ticks: [0, -40, -80, -120, -160] },
      series,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// The strongest bin in each of about a hundred bands. Kaiser's window with its side lobes 190 dB down, below the
// precision of f32.
function spectrumPoints(samples, fft) {
  const size = 32768;
  const bessel = (x) => {
    let sum = 1;
    for (let k = 1, term = 1; term > sum * 1e-17; k++) sum += term *= (x / (2 * k)) ** 2;
    return sum;
  };
  const window = Float64Array.from({ length: size }, (_, i) =>
    bessel(20 * Math.sqrt(1 - ((2 * i) / (size - 1) - 1) ** 2)),
  );
  const scale = 2 / window.reduce((sum, value) => sum + value);
  const real = window.map((weight, i) => weight * samples[i]);
  const imaginary = new Float64Array(size);
  fft(real, imaginary);
  const band = size / 1024;
  return Array.from({ length: size / 2 / band }, (_, i) => {
    let most = 0;
    for (let bin = i * band; bin < (i + 1) * band; bin++) {
      most = Math.max(most, Math.hypot(real[bin], imaginary[bin]) * scale);
    }
    return [((i + 0.5) * band * 48) / size, fixed(20 * Math.log10(most + 1e-15), 1)];
  });
}
