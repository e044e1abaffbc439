// Nothing of a microphone or speaker that the package made stays on the audio server, however its process ends.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { VirtualMicSink, VirtualSpeakerSource, type AudioError } from 'patchcord';

import type { AudioServer } from '../servers.mjs';
import { isAbsent, leaveServer, makingServers } from './linux-servers.js';
import { event, until } from '../conformance/wait.js';
import { runScene } from './run-scene.js';

// How many modules of the server one of them is.
const kinds = [
  ['microphone', 2],
  ['speaker', 1],
] as const;

function canUnshare(): boolean {
  const unshare = ['--user', '--map-root-user', '--pid', '--fork', 'true'];
  if (process.platform !== 'linux' || spawnSync('unshare', unshare).status === 0) return true;
  const absent = 'absent: unshare, or the right to use it: no program in a container returned';
  console.log(absent);
  if (process.env.PATCHCORD_REQUIRE_ALL) throw new Error(absent);
  return false;
}

for (const [title, name, start] of makingServers) {
  describe.skipIf(isAbsent(name, 'what it keeps of made devices was not tried'))(
    `a device made on ${title}`,
    () => {
      let server: AudioServer;
      let env: NodeJS.ProcessEnv;
      const saved = { ...process.env };
      beforeEach(async () => {
        server = await start();
        env = { ...server.env, PATCHCORD_BACKEND: 'pulse' };
        Object.assign(process.env, server.env);
      });
      afterEach(async () => {
        await leaveServer(server, saved);
      });

      const pactl = (...args: string[]): string =>
        execFileSync('pactl', args, { env: { ...process.env, ...server.env }, encoding: 'utf8' });
      const left = (): string[] =>
        pactl('list', 'short', 'modules')
          .split('\n')
          .filter((line) => line.includes('patchcord.'));

      it.each(kinds)(
        'goes with its process, a %s: at its end, process.exit(), an exception, and in workers',
        async (what) => {
          for (const how of [
            'end',
            'exit',
            'throw',
            'worker-exit',
            'worker-throw',
            'worker-terminated',
            'exit-beside-worker',
            'exit-while-making',
            'exit-in-handler',
          ]) {
            const outcome = await runScene('makes-device.mjs', { args: [what, how], env });
            expect(outcome, how).toMatchObject({ signal: null, stuck: false });
            expect(left(), how).toEqual([]);
          }
        },
      );

      async function started(what: string) {
        const scene = fileURLToPath(new URL('scenes/makes-device.mjs', import.meta.url));
        const child = spawn(process.execPath, [scene, what, 'wait'], {
          env: { ...process.env, ...env },
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        await once(child.stdout, 'data');
        return child;
      }

      it.each(kinds)(
        'is removed by the next process if its own was killed, a %s',
        async (what, modules) => {
          const child = await started(what);
          child.kill('SIGKILL');
          await once(child, 'exit');
          expect(left().length).toBe(modules);
          await runScene('makes-device.mjs', { args: [what, 'end'], env });
          expect(left()).toEqual([]);
        },
      );

      it.each(kinds)(
        'does not keep its process from exiting while the server stands still, a %s',
        async (what, modules) => {
          const child = await started(what);
          expect(left().length).toBe(modules);
          process.kill(-server.pid, 'SIGSTOP');
          const began = performance.now();
          child.kill('SIGUSR2');
          const [code] = (await once(child, 'exit')) as [number];
          expect(code).toBe(7);
          expect(performance.now() - began).toBeLessThan(3000);
          process.kill(-server.pid, 'SIGCONT');
          // PulseAudio removes it now. PipeWire forgets what a client asked for that has gone: the next
          // process with a microphone removes it there.
          await runScene('makes-device.mjs', { args: [what, 'end'], env });
          expect(left()).toEqual([]);
        },
      );

      it.each([
        ['microphone', 'sources'],
        ['speaker', 'sinks'],
      ])(
        'has a name and an id of its own beside those of processes that start at the same time, a %s',
        async (what, list) => {
          const children = await Promise.all([1, 2, 3, 4].map(() => started(what)));
          const devices = JSON.parse(pactl('--format=json', 'list', list)) as {
            name: string;
            description: string;
          }[];
          const made = devices.filter(
            ({ name }) => name.startsWith('patchcord.') && !name.endsWith('.monitor'),
          );
          expect(made.map(({ description }) => description).sort()).toEqual([
            'Left behind',
            ...[2, 3, 4].map((copy) => `Left behind (${copy})`),
          ]);
          expect(new Set(made.map(({ name }) => name)).size).toBe(4);
          for (const child of children) {
            child.kill('SIGUSR2');
            await once(child, 'exit');
          }
          expect(left()).toEqual([]);
        },
      );

      it('has an id that follows from its name, and another id beside one of the same name', async () => {
        const open = async (name: string): Promise<VirtualMicSink> =>
          new VirtualMicSink({ backend: 'pulse', name }).ready;
        const first = await open('Studio mic');
        const id = first.microphone?.id;
        expect(id).toMatch(/^patchcord\.Studio_mic\.[0-9a-f]{8}\.microphone$/);
        const second = await open('Studio mic');
        expect(second.microphone).toMatchObject({
          name: 'Studio mic (2)',
          id: id?.replace(/\.microphone$/, '.copy2.microphone'),
        });
        await first.close();
        const again = await open('Studio mic');
        expect(again.microphone?.id).toBe(id);
        await Promise.all([second.close(), again.close()]);
      });

      it('leaves nothing of fifty pairs that were created and removed', async () => {
        const before = pactl('list', 'short', 'clients').trim().split('\n').length;
        for (let i = 0; i < 50; i++) {
          const names = { backend: 'pulse', name: 'Bot' } as const;
          const [speaker, sink] = await Promise.all([
            VirtualSpeakerSource.open(names),
            VirtualMicSink.open(names),
          ]);
          expect(speaker.speaker?.id).toBe('patchcord.Bot.speaker');
          expect(sink.microphone?.id).toBe('patchcord.Bot.microphone');
          await Promise.all([speaker.close(), sink.close()]);
        }
        expect(left()).toEqual([]);
        // The connections of this process stay: one for questions, one for streams.
        const clients = pactl('list', 'short', 'clients').trim().split('\n').length;
        expect(clients - before).toBeLessThanOrEqual(2);
      });

      it('is created again under its name when the server is back, and carries sound again', async () => {
        const speaker = await VirtualSpeakerSource.open({ backend: 'pulse', name: "Anna's ear" });
        const { id } = speaker.speaker;
        speaker.resume();
        const gone = event(speaker, 'rebuild');
        await server.kill();
        await gone;
        const recovered = event(speaker, 'recovered');
        const next = await start();
        try {
          Object.assign(process.env, next.env);
          await recovered;
          expect(speaker.speaker.id).toBe(id);
          expect(speaker.environment()).toEqual({
            PULSE_SERVER: next.env.PULSE_SERVER,
            PULSE_SINK: id,
          });
          const player = spawn('sh', ['-c', 'pacat < /dev/urandom'], {
            env: { ...process.env, ...speaker.environment() },
            detached: true,
          });
          await until(() => speaker.level().rmsDb > -20, 'the noise');
          process.kill(-player.pid!, 'SIGKILL');
          await speaker.close();
        } finally {
          await next.stop();
        }
      });

      it.skipIf(!canUnshare())(
        'gets the program of a container back, which has connected to the next server',
        async () => {
          const speaker = await VirtualSpeakerSource.open({ backend: 'pulse', name: 'Contained' });
          speaker.resume();
          // Programs have another number in each container; this one has the same whenever it is started.
          const inside = ['--user', '--map-root-user', '--pid', '--fork', '--kill-child'];
          const play = `while :; do unshare ${inside.join(' ')} pacat --client-name=Robot < /dev/urandom; sleep 0.1; done`;
          const program = spawn('sh', ['-c', play], {
            env: { ...process.env, ...server.env },
            stdio: 'ignore',
            detached: true,
          });
          try {
            const index = () => /^(\d+)\t/.exec(pactl('list', 'short', 'sink-inputs'))?.[1] ?? '';
            await until(() => index() !== '', 'the program');
            pactl('move-sink-input', index(), speaker.speaker.id);
            await until(() => speaker.level().rmsDb > -20, 'the noise');
            // It has been listed there.
            await new Promise((resolve) => setTimeout(resolve, 500));
            const gone = event(speaker, 'rebuild');
            const folder = server.env.XDG_RUNTIME_DIR;
            await server.kill();
            await gone;
            const recovered = event(speaker, 'recovered');
            const next = await start();
            try {
              Object.assign(process.env, next.env);
              // The program finds the next server where the first one was.
              mkdirSync(`${folder}/pulse`, { recursive: true });
              symlinkSync(`${next.env.XDG_RUNTIME_DIR}/pulse/native`, `${folder}/pulse/native`);
              await recovered;
              await until(() => speaker.level().rmsDb > -20, 'the noise on the next server');
              await speaker.close();
            } finally {
              await next.stop();
            }
          } finally {
            process.kill(-program.pid!, 'SIGKILL');
          }
        },
      );

      it.each([
        ['microphone', VirtualMicSink],
        ['speaker', VirtualSpeakerSource],
      ])(
        'is destroyed or closed without an error of another kind while its server is away, a %s',
        async (_what, Device) => {
          const sinks = [1, 2].map((n) => new Device({ backend: 'pulse', name: `Away ${n}` }));
          const errors: unknown[] = [];
          for (const sink of sinks)
            sink.on('error', (error) => errors.push((error as AudioError).code));
          await Promise.all(sinks.map((sink) => sink.ready));
          const gone = Promise.all(sinks.map((sink) => event(sink, 'rebuild')));
          await server.kill();
          await gone;
          const closed = Promise.all(sinks.map((sink) => event(sink, 'close')));
          sinks[0].destroy();
          await sinks[1].close();
          await closed;
          expect(errors).toEqual([]);
        },
      );
    },
  );
}
