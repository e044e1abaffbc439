// A meeting on each audio system: two sides in their places, in tracks of one length, also when the server stood still.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import { captureMeeting, toFloat32, type MeetingOptions } from 'patchcord';

import { toneDb } from './meeting-world.js';
import { serverProcess, standingServers } from './server-process.js';
import { openSystem, type System } from './system.js';
import { block, until } from './wait.js';

const name = process.env.PATCHCORD_TEST_BACKEND ?? 'simulated';

let system: System;
beforeAll(async () => {
  system = await openSystem();
});
afterAll(() => system.close());

/** Records into three files what `during` lets happen; their samples. */
async function recorded(
  options: MeetingOptions,
  during: (meeting: ReturnType<typeof captureMeeting>) => Promise<unknown>,
) {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-meeting-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { backend, microphone, speakers } = system;
  const meeting = captureMeeting({
    backend,
    mic: { device: microphone },
    system: { device: speakers },
    ...options,
  });
  onTestFinished(() => meeting.destroy());
  const [mic, others, mix] = ['mic', 'others', 'mix'].map((one) => join(folder, `${one}.wav`));
  const written = meeting.toFiles({ mic, system: others, mix });
  await meeting.ready;
  await during(meeting);
  const closedAt = process.hrtime.bigint();
  await meeting.close();
  await written;
  const samples = (path: string): Float32Array => {
    const wav = readFileSync(path);
    return toFloat32(wav.subarray(wav.indexOf('data') + 8), { sampleFormat: 's16' });
  };
  return { meeting, closedAt, mic: samples(mic), system: samples(others), mix: samples(mix) };
}

const seconds = (count: number) => async (meeting: { position: number }) => {
  const enough = meeting.position + count * 16_000;
  await until(() => meeting.position > enough, `${count} s more`, 30_000);
};

describe('a meeting', () => {
  it('has each side in its track, both in the mix, and files of one length', async () => {
    await system.play('microphone', 500);
    await system.play('speakers', 2000);
    const heard = await recorded({}, async (meeting) => {
      // A player outside takes its time.
      const sounds = () => meeting.mic?.state === 'sound' && meeting.system?.state === 'sound';
      await until(sounds, 'the sound of both sides', 20_000);
      await seconds(4)(meeting);
    });
    expect(heard.system).toHaveLength(heard.mic.length);
    expect(heard.mix).toHaveLength(heard.mic.length);
    expect(heard.mic).toHaveLength(heard.meeting.position);
    // On the host's clock a source runs up to 500 ppm fast or slow while it corrects its place in time.
    const levelOf = (track: Float32Array, frequency: number): number => {
      const last = track.slice(-32_000);
      const nearby = [-500, -250, 0, 250, 500].map((ppm) => frequency * (1 + ppm * 1e-6));
      return Math.max(...nearby.map((one) => toneDb(last, 16_000, one)));
    };
    expect(levelOf(heard.mic, 500)).toBeGreaterThan(-20);
    expect(levelOf(heard.mic, 2000)).toBeLessThan(-40);
    expect(levelOf(heard.system, 2000)).toBeGreaterThan(-20);
    expect(levelOf(heard.system, 500)).toBeLessThan(-40);
    expect(levelOf(heard.mix, 500)).toBeGreaterThan(-20);
    expect(levelOf(heard.mix, 2000)).toBeGreaterThan(-20);
  });

  it('loses nothing in its files while the event loop is blocked', async () => {
    await system.play('microphone', 500);
    const heard = await recorded({}, async (meeting) => {
      await seconds(2)(meeting);
      block(3000);
      await seconds(4)(meeting);
    });
    const { mic, system: loopback } = heard.meeting.stats();
    expect([mic?.readerLostFrames, loopback?.readerLostFrames]).toEqual([0, 0]);
    expect(heard.meeting.mix.stats().link.map(({ lostFrames }) => lostFrames)).toEqual([0]);
    expect(heard.mic.length).toBeGreaterThan(6 * 16_000);
    expect(heard.system).toHaveLength(heard.mic.length);
  });

  it('takes a pause out of all tracks', async () => {
    const heard = await recorded({}, async (meeting) => {
      await seconds(1)(meeting);
      meeting.pause();
      const { position } = meeting;
      await delay(2000);
      expect(meeting.position - position).toBeLessThan(16_000);
      meeting.resume();
      await seconds(1)(meeting);
    });
    expect(heard.mic.length).toBeLessThan(4 * 16_000);
    expect(heard.system).toHaveLength(heard.mic.length);
    expect(heard.mix).toHaveLength(heard.mic.length);
  });

  it.runIf(name in standingServers)(
    'is as long as the time when the server stood for 3 s, three times',
    { timeout: 90_000 },
    async () => {
      await system.play('microphone', 500);
      await system.play('speakers', 2000);
      const server = serverProcess(standingServers[name]);
      const heard = await recorded({}, async (meeting) => {
        await seconds(2)(meeting);
        for (let k = 0; k < 3; k++) {
          process.kill(server, 'SIGSTOP');
          try {
            await delay(3000);
          } finally {
            process.kill(server, 'SIGCONT');
          }
          await delay(3000);
        }
      });
      const frames = heard.mic.length;
      expect(heard.system).toHaveLength(frames);
      expect(heard.mix).toHaveLength(frames);
      const { meeting } = heard;
      const lasted = Number(heard.closedAt - meeting.mix.timeAt(0)) / 1e9;
      expect(lasted).toBeGreaterThan(20);
      expect(Math.abs(frames / 16_000 - lasted)).toBeLessThan(0.1);
      expect(Number(meeting.mix.timeAt(frames) - meeting.mix.timeAt(0)) / 1e9).toBeCloseTo(
        frames / 16_000,
        3,
      );
      for (const [track, frequency] of [
        [heard.mic, 500],
        [heard.system, 2000],
      ] as const) {
        expect(toneDb(track.slice(-16_000), 16_000, frequency)).toBeGreaterThan(-20);
      }
      const lost = [meeting.stats().mic, meeting.stats().system].map(
        (side) => side!.lostFrames / 16,
      );
      console.log(
        `${name}: ${(frames / 16_000).toFixed(2)} s; lost ${lost.map((ms) => ms.toFixed(0)).join(' and ')} ms of 9000`,
      );
      for (const ms of lost) expect(ms).toBeLessThan(9500);
    },
  );
});
