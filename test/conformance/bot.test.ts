// The bot of examples/bot: a real browser in a call, with its own speaker and microphone.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { WavReader } from 'patchcord';

import { toFloat } from '../instruments/index.js';
import { runExample } from './run-example.js';
import { levelOf } from './tone-level.js';

const name = process.env.PATCHCORD_TEST_BACKEND;
const onServer = name === 'pulse' || name === 'pipewire';
const spoken = 440; // by the bot
const played = 700; // by the other participant, from 10 s on, for 3 s

function hasChromium(): boolean {
  if (!spawnSync('chromium', ['--version']).error) return true;
  const absent = 'absent: chromium (not in PATH): the bot did not run';
  console.log(absent);
  if (process.env.PATCHCORD_REQUIRE_ALL) throw new Error(absent);
  return false;
}

describe.runIf(onServer && hasChromium())('a bot in a call', () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'patchcord-bot-test-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

  async function left(file: string): Promise<Float32Array> {
    const reader = WavReader.fromFile(join(folder, 'bot', file));
    const parts: Buffer[] = [];
    for await (const part of reader) parts.push(part);
    return toFloat(Buffer.concat(parts), reader.format)[0];
  }

  it('hears the other one whole, is heard, and hears nothing of itself', async () => {
    const run = runExample(folder, 'bot/bot.mjs', '--seconds', '16');
    expect(await run.ended, run.output).toBe(0);

    // The page's sound: nothing for ten seconds, then the other participant's sound.
    const heard = await left('heard.wav');
    const loud = levels(heard, played).map((db) => db > -18);
    const begin = loud.indexOf(true);
    const end = loud.lastIndexOf(true);
    expect(begin).toBeGreaterThan(1000);
    expect(end - begin).toBeGreaterThan(290);
    expect(end - begin).toBeLessThan(310);
    expect(loud.slice(begin + 3, end - 3).filter((is) => !is).length).toBe(0);
    // A click before it would be louder than what the codec makes of silence.
    const before = heard.subarray(0, (begin - 5) * 480);
    expect(before.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)).toBeLessThan(
      0.001,
    );
    const sound = heard.subarray((begin + 20) * 480, (end - 20) * 480);
    expect(Math.abs(levelOf(sound, played) + 12)).toBeLessThan(1);
    expect(levelOf(sound, spoken)).toBeLessThan(-60);

    // The page's microphone: the bot's voice, and the page's own sound at -90 dB or less.
    const microphone = await left('microphone.wav');
    expect(Math.abs(levelOf(microphone.subarray(48000), spoken) + 12.04)).toBeLessThan(0.5);
    const echo = levelOf(microphone.subarray(10.5 * 48000, 12.5 * 48000), played);
    console.log(`what the page plays is at ${echo.toFixed(1)} dBFS in what it hears`);
    expect(echo).toBeLessThan(-12 - 90);

    const arrived = await left('arrived.wav');
    expect(Math.abs(levelOf(arrived.subarray(2 * 48000), spoken) + 12)).toBeLessThan(2);
  });
});

/** The level of a tone, every 10 ms. */
function levels(sound: Float32Array, frequency: number): number[] {
  const found: number[] = [];
  for (let at = 0; at + 480 <= sound.length; at += 480) {
    let [re, im] = [0, 0];
    for (let i = 0; i < 480; i++) {
      const angle = (2 * Math.PI * frequency * (at + i)) / 48000;
      re += sound[at + i] * Math.cos(angle);
      im += sound[at + i] * Math.sin(angle);
    }
    found.push(20 * Math.log10(Math.hypot(re, im) / 240));
  }
  return found;
}
