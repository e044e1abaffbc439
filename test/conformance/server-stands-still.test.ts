// An audio server that is stopped for a moment, as any program is on a busy machine: what a sink plays then is late by
// no longer than that.
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ToneSource, VirtualMicSink } from 'patchcord';

import { serverProcess, standingServers } from './server-process.js';
import { openSystem, type System } from './system.js';
import { until } from './wait.js';

const name = process.env.PATCHCORD_TEST_BACKEND ?? 'simulated';
const stalls = 30;
const stallMs = 20;

describe.runIf(name in standingServers)('a server that stands still', () => {
  let system: System;
  beforeAll(async () => {
    system = await openSystem();
  });
  afterAll(() => system.close());

  it('costs a sink no more than the time that it stood', async () => {
    const server = serverProcess(standingServers[name]);
    const sink = new VirtualMicSink({ backend: system.backend, name: 'Late' });
    new ToneSource({ frequency: 997, gain: 0.25 }).pipe(sink);
    await sink.ready;
    await until(() => sink.stats().frames > 48000, 'a second of sound');
    const before = sink.stats();
    let stoodMs = 0;
    for (let i = 0; i < stalls; i++) {
      const from = performance.now();
      process.kill(server, 'SIGSTOP');
      await delay(stallMs);
      process.kill(server, 'SIGCONT');
      stoodMs += performance.now() - from;
      await delay(40);
    }
    const { frames } = sink.stats();
    await until(() => sink.stats().frames > frames + 48000, 'a second more');
    const { underruns, underrunFrames } = sink.stats();
    expect(underruns).toBeGreaterThan(before.underruns);
    const missedMs = (underrunFrames - before.underrunFrames) / 48;
    console.log(`missed ${missedMs.toFixed(0)} ms of ${stoodMs.toFixed(0)}`);
    // The queue's contents bridge a part of each.
    expect(missedMs).toBeLessThan(0.8 * stoodMs);
    await sink.close();
  });
});
