// Outputs whose channels stand at other speakers than is usual for so many.
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

import { describe, expect, it, onTestFinished } from 'vitest';

import { LoopbackSource } from 'patchcord';

import { toFloat } from '../instruments/index.js';
import { levelOf } from './tone-level.js';
import { until } from './wait.js';

const name = process.env.PATCHCORD_TEST_BACKEND;
const run = promisify(execFile);

// Its map, the speaker that plays 500 Hz (front left plays 900 Hz), and how loud each side hears that speaker.
const layouts: [string, string, string, [left: number, right: number]][] = [
  [
    'hexagonal',
    'front-left,front-right,front-center,rear-left,rear-right,rear-center',
    'rear-left',
    [-15, -Infinity],
  ],
  ['3.1', 'front-left,front-right,front-center,lfe', 'front-center', [-15, -15]],
  ['4.0', 'front-left,front-right,front-center,rear-center', 'rear-center', [-18, -18]],
  ['2.1', 'front-left,front-right,lfe', 'lfe', [-Infinity, -Infinity]],
  ['quad', 'front-left,front-right,rear-left,rear-right', 'rear-right', [-Infinity, -15]],
];

describe.runIf(name === 'pulse' || name === 'pipewire')('an output whose layout is', () => {
  it.each(layouts)('%s is folded by it', async (_layout, map, speaker, expected) => {
    const channels = map.split(',').length;
    const shape = [`channels=${channels}`, `channel_map=${map}`];
    const module = await run('pactl', [
      'load-module',
      'module-null-sink',
      'sink_name=laid_out',
      'format=float32le',
      'rate=48000',
      ...shape,
    ]);
    onTestFinished(async () => void (await run('pactl', ['unload-module', module.stdout.trim()])));
    const second = new Float32Array(48000 * channels);
    const place = map.split(',').indexOf(speaker);
    const tone = (frequency: number, i: number) =>
      0.25 * Math.sin((2 * Math.PI * frequency * i) / 48000);
    for (let i = 0; i < 48000; i++) {
      second[i * channels] = tone(900, i);
      second[i * channels + place] = tone(500, i);
    }
    const format = ['--raw', '--format=float32le', '--rate=48000', `--channels=${channels}`];
    const player = spawn(
      'pacat',
      [...format, `--channel-map=${map}`, '--device=laid_out', '--latency-msec=200'],
      { stdio: ['pipe', 'ignore', 'inherit'] },
    );
    onTestFinished(() => void player.kill('SIGKILL'));
    player.stdin.on('error', () => {});
    const bytes = Buffer.from(second.buffer);
    const feed = (): void => void player.stdin.write(bytes, (error) => error ?? feed());
    feed();
    const playing = async () =>
      (await run('pactl', ['list', 'sink-inputs'])).stdout.includes('application.name = "pacat"');
    await until(playing, 'the program');

    const loopback = await LoopbackSource.open({ backend: 'pulse', device: 'laid_out' });
    await until(() => loopback.level().rmsDb > -40, 'the sound of the program');
    const parts: Buffer[] = [];
    let frames = 0;
    for await (const { data, frames: more } of loopback.chunks()) {
      parts.push(data);
      frames += more;
      if (frames > 24000) break;
    }
    await loopback.close();
    toFloat(Buffer.concat(parts), loopback.format).forEach((sound, side) => {
      const db = levelOf(sound.subarray(4800), 500);
      const text = `side ${side}: ${db.toFixed(1)} dB`;
      if (expected[side] === -Infinity) expect(db, text).toBeLessThan(-100);
      else expect(Math.abs(db - expected[side]), text).toBeLessThan(0.3);
    });
  });
});
