// Other programs whose sound the server would play into a microphone that was made.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';

import { MicSource, ToneSource, VirtualMicSink, type SinkWarning } from 'patchcord';

import { until } from '../conformance/wait.js';
import { levelOf } from '../conformance/tone-level.js';
import { toFloat } from '../instruments/index.js';
import type { AudioServer } from '../servers.mjs';
import { isAbsent, leaveServer, makingServers } from './linux-servers.js';

const run = promisify(execFile);
for (const [title, name, start] of makingServers) {
  describe.skipIf(isAbsent(name, 'intruders were not tried'))(
    `on ${title} a microphone that was made`,
    () => {
      let server: AudioServer;
      let folder: string;
      let sink: VirtualMicSink;
      let warnings: SinkWarning[];
      const saved = { ...process.env };
      beforeEach(async () => {
        server = await start();
        folder = mkdtempSync(join(tmpdir(), 'patchcord-intruders-'));
        Object.assign(process.env, server.env);
        warnings = [];
        sink = new VirtualMicSink({ backend: 'pulse', name: 'Alone' });
        sink.on('warning', (warning) => warnings.push(warning));
        await sink.ready;
        new ToneSource({ frequency: 997, gain: 0.25, durationMs: 600_000 }).pipe(sink);
      });
      afterEach(async () => {
        const closed = new Promise((resolve) => sink.once('close', resolve));
        sink.destroy();
        await closed;
        await leaveServer(server, saved);
        rmSync(folder, { recursive: true, force: true });
      });

      const pactl = (...args: string[]): string =>
        execFileSync('pactl', args, { encoding: 'utf8', timeout: 5000 });
      interface Listed {
        index: number;
        name: string;
        sink: number;
        properties: Record<string, string>;
      }
      const list = async (what: string): Promise<Listed[]> =>
        JSON.parse((await run('pactl', ['--format=json', 'list', what])).stdout) as Listed[];

      /** A program that is no child of ours: its parent has ended. */
      async function play(program: string, frequency: number): Promise<void> {
        const file = join(folder, program);
        const script =
          `echo $$ > ${file}; ` +
          `sox -q -n -t raw -r 48000 -c 2 -e float -b 32 - synth 600 sine ${frequency} gain -12 | ` +
          `pacat --raw --format=float32le --rate=48000 --channels=2 --latency-msec=100 --client-name=${program}`;
        spawn('setsid', ['-f', 'sh', '-c', script], { stdio: 'ignore' });
        await until(
          () => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'),
          'its number',
        );
        const group = Number(readFileSync(file, 'utf8'));
        onTestFinished(() => void process.kill(-group, 'SIGKILL'));
      }
      async function sinkOf(program: string): Promise<string | undefined> {
        const input = (await list('sink-inputs')).find(
          ({ properties }) => properties['application.name'] === program,
        );
        return (await list('sinks')).find(({ index }) => index === input?.sink)?.name;
      }
      async function heard(): Promise<Float32Array> {
        const mic = await MicSource.open({
          device: sink.microphone!,
          durationMs: 2000,
          channels: 1,
        });
        const parts: Buffer[] = [];
        for await (const { data } of mic.chunks()) parts.push(data);
        return toFloat(Buffer.concat(parts), mic.format)[0].subarray(48000);
      }

      it('does not get what played to a card that is unplugged, nor what begins to play then', async () => {
        await play('far-end', 500);
        await until(async () => (await sinkOf('far-end')) !== undefined, 'the program');
        for (const line of pactl('list', 'short', 'modules').split('\n')) {
          if (line.includes('module-null-sink') && !line.includes('patchcord.')) {
            pactl('unload-module', line.split('\t')[0]);
          }
        }
        await until(
          () =>
            warnings.some(({ code, message }) => code === 'intruder' && /far-end/.test(message)),
          'a warning',
        );
        await until(async () => (await sinkOf('far-end')) !== sink.device!.id, 'its move');
        expect(pactl('get-default-sink').trim()).not.toBe(sink.device!.id);
        await play('late-comer', 700);
        await until(async () => (await sinkOf('late-comer')) !== undefined, 'the late-comer');
        expect(await sinkOf('late-comer')).not.toBe(sink.device!.id);
        const sound = await heard();
        expect(Math.abs(levelOf(sound, 997) + 12.04)).toBeLessThan(0.5);
        for (const other of [500, 700]) expect(levelOf(sound, other)).toBeLessThan(-102);
      });

      it('does not get what plays to the default, when a user made it the default', async () => {
        pactl('set-default-sink', sink.device!.id);
        await play('confused', 600);
        await until(() => warnings.some(({ message }) => /confused/.test(message)), 'a warning');
        await until(async () => (await sinkOf('confused')) === 'speakers', 'its move');
        expect(levelOf(await heard(), 600)).toBeLessThan(-102);
      });
    },
  );
}
