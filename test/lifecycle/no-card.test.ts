// A system without a sound card, into which one is plugged later.
import { execFileSync } from 'node:child_process';
import process from 'node:process';

import { describe, expect, it } from 'vitest';

import {
  getDefaultDevice,
  listDevices,
  SpeakerSink,
  ToneSource,
  VirtualMicSink,
  VirtualSpeakerSource,
  type SinkWarning,
} from 'patchcord';

import { until } from '../conformance/wait.js';
import { isAbsent, leaveServer, makingServers } from './linux-servers.js';

const pactl = (...args: string[]): string =>
  execFileSync('pactl', args, { encoding: 'utf8', timeout: 5000 });
const backend = 'pulse';

for (const [title, name, start] of makingServers) {
  describe.skipIf(isAbsent(name, 'a system without a card was not tried'))(
    `without a card, on ${title},`,
    () => {
      it('a sink warns that its output is a stand-in, and a card that comes later is the default', async () => {
        const saved = { ...process.env };
        const server = await start();
        Object.assign(process.env, server.env);
        const open: { close(): Promise<void> }[] = [];
        try {
          // The remapped source goes with its sink.
          for (const line of pactl('list', 'short', 'modules').split('\n')) {
            if (line.includes('module-null-sink')) pactl('unload-module', line.split('\t')[0]);
          }
          const outputs = () => listDevices({ backend, flow: 'output' });
          await until(
            async () => (await outputs()).some(({ id }) => id === 'auto_null'),
            'auto_null',
          );
          expect((await outputs()).map(({ standIn }) => standIn)).toEqual([true]);

          const warnings: SinkWarning[] = [];
          const speaker = new SpeakerSink({ backend });
          open.push(speaker);
          speaker.on('warning', (warning) => warnings.push(warning));
          new ToneSource({ frequency: 440, gain: 0.1, durationMs: 600_000 }).pipe(speaker);
          await speaker.ready;
          await until(() => warnings.length > 0, 'a warning');
          expect(warnings).toEqual([
            { code: 'noOutput', message: expect.stringContaining('has no output') as string },
          ]);

          const mic = await VirtualMicSink.open({ backend, name: 'Before the card' });
          const ears = await VirtualSpeakerSource.open({ backend, name: 'Before the card' });
          open.push(mic, ears);
          const current = async () => getDefaultDevice('output', 'console', { backend });
          expect((await current())?.standIn).toBe(true);
          const properties = 'sink_properties=device.description=Headset';
          pactl('load-module', 'module-null-sink', 'sink_name=later', 'rate=48000', properties);
          await until(async () => (await current())?.id === 'later', 'the card as the default');
          await until(
            async () => (await outputs()).every(({ standIn }) => !standIn),
            'the end of the stand-in',
          );
          await until(() => speaker.device?.id === 'later', 'the sink on the card');
          expect(warnings).toHaveLength(1);
        } finally {
          await Promise.all(open.map((one) => one.close().catch(() => {})));
          await leaveServer(server, saved);
        }
      });
    },
  );
}
