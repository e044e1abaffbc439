// Compares mixers: ours in the engine and from JavaScript, packages from npm, sox and ffmpeg, with 2 and 8 stereo
// inputs at 48 kHz.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { fixed, median } from './measure.mjs';
import { nativeProgram } from './native.mjs';
import { whyNoPeers } from './peers.mjs';

const run = promisify(execFile);
const npmPart = fileURLToPath(new URL('parts/js-mixers.mjs', import.meta.url));
const counts = [2, 8];

export async function mixer({ rounds }) {
  const native = await nativeProgram('mixer');
  const reason = whyNoPeers();
  if (reason) console.log(`absent: npm packages to compare with (${reason})`);
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-bench-'));
  try {
    const speeds = {};
    const shares = { 2: [], 8: [] };
    const add = (engine, inputs, times) => ((speeds[engine] ??= {})[inputs] ??= []).push(times);
    const wavs = makeWavs(folder);
    for (let i = 0; i < rounds; i++) {
      const { written, live } = await native();
      for (const inputs of counts) {
        add('patchcord, in the engine', inputs, written[inputs]);
        shares[inputs].push(live[inputs]);
        if (!reason) {
          const { stdout } = await run(process.execPath, [npmPart, String(inputs)]);
          for (const [name, times] of Object.entries(JSON.parse(stdout))) add(name, inputs, times);
        }
        for (const [name, command] of Object.entries(programs(wavs.slice(0, inputs)))) {
          const times = await timed(command, i === 0 && inputs === 2 && name);
          if (times !== undefined) add(name, inputs, times);
        }
      }
    }
    return {
      note: `${rounds} rounds, medians`,
      tables: {
        'mixer speed': Object.entries(speeds).map(([engine, all]) => ({
          engine,
          ...Object.fromEntries(
            counts.map((n) => [`${n} inputs, x real time`, Number(median(all[n]).toPrecision(3))]),
          ),
        })),
        'mixer live': counts.map((inputs) => ({
          'live inputs, each its own clock': inputs,
          'mixing, % of a core': fixed(median(shares[inputs].map(({ mixing }) => mixing))),
          'with capture, % of a core': fixed(median(shares[inputs].map(({ all }) => all))),
        })),
      },
      plots: {},
      data: { speeds, shares },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const wavSeconds = 60;

function makeWavs(folder) {
  const samples = new Int16Array(wavSeconds * 96000);
  for (let i = 0; i < samples.length; i++) samples[i] = 3000 * Math.sin(i * 0.13);
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + samples.byteLength, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(2, 22);
  header.writeUInt32LE(48000, 24);
  header.writeUInt32LE(192000, 28);
  header.writeUInt16LE(4, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(samples.byteLength, 40);
  return Array.from({ length: 8 }, (_, i) => {
    const file = join(folder, `${i}.wav`);
    writeFileSync(file, Buffer.concat([header, Buffer.from(samples.buffer)]));
    return file;
  });
}

function programs(files) {
  const inputs = files.flatMap((file) => ['-i', file]);
  const filter = `amix=inputs=${files.length}`;
  return {
    'sox -m': ['sox', '-m', ...files, '-t', 'raw', '/dev/null'],
    'ffmpeg amix': [
      'ffmpeg',
      ...['-v', 'error', '-nostdin', ...inputs, '-filter_complex', filter],
      ...['-f', 's16le', '-y', '/dev/null'],
    ],
  };
}

// How many times faster than real time, the program's start included; undefined if it is not installed.
async function timed([command, ...args], nameIfAbsent) {
  const start = process.hrtime.bigint();
  try {
    await run(command, args);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    if (nameIfAbsent) console.log(`absent: ${nameIfAbsent} (Debian: apt-get install ${command})`);
    return undefined;
  }
  return wavSeconds / (Number(process.hrtime.bigint() - start) / 1e9);
}
