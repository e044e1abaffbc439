// The audio system that a conformance run is about, and the world outside the program: what plays
// into the microphone and the speakers, and what other programs record.
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { onTestFinished } from 'vitest';

import type { BackendName, MicOptions } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

import { connectOutside } from '../windows/outside-client.mjs';
import { createOutside } from '../windows/outside.mjs';

export type Place = 'microphone' | 'speakers';

/** A program with its own process that plays a sine to the speakers. */
export interface Program {
  /** As it calls itself; no other program does. */
  name: string;
  /** The id of its first process, which may have started the one that plays. */
  pid: number;
  /** To an output by its id. */
  move(device: string): Promise<void>;
  mute(muted: boolean): Promise<void>;
  /** Its processes end. */
  exit(): Promise<void>;
}

export interface System {
  name: string;
  /** For the `backend` option. */
  backend: NonNullable<MicOptions['backend']>;
  microphone: string;
  speakers: string;
  /** An output that a virtual microphone carries, where one must be there already. */
  cable: string | undefined;
  /** Plays a sine until the returned function is called. */
  play(place: Place, frequency: number, db?: number): Promise<() => Promise<void>>;
  /** The same into an output that a stream of this package made or chose. */
  playTo(output: { id: string }, frequency: number, db?: number): Promise<() => Promise<void>>;
  /** Starts one, whose sound can be captured apart; undefined where that cannot be. */
  program: ((frequency: number, db?: number) => Promise<Program>) | undefined;
  /** Starts so many of one name that play nothing; undefined where `program` is. */
  crowd: ((count: number) => Promise<{ name: string; exit(): Promise<void> }>) | undefined;
  /** Records from a microphone with another program: interleaved stereo at 48000 Hz. */
  record(microphone: { id: string; name: string }, seconds: number): Promise<Float32Array>;
  /** Unplugs the microphone; the returned function plugs it in again. */
  unplugMicrophone(): Promise<() => Promise<void>>;
  /** Mutes the microphone in the system; undefined where a mute outside does not reach it (Wine). */
  muteMicrophone: ((muted: boolean) => Promise<void>) | undefined;
  /** Whether running programs are notified of devices that come and go (Wine does not). */
  announces: boolean;
  close(): Promise<void>;
}

const level = (db: number) => 10 ** (db / 20);

/** Undoes something once: when the test calls it, or at the test's end if it failed before. */
function undoneOnce(undo: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  const once = () => (done ??= undo());
  onTestFinished(once);
  return once;
}

export async function openSystem(): Promise<System> {
  const name = process.env.PATCHCORD_TEST_BACKEND ?? 'simulated';
  if (name === 'simulated') return simulated();
  if (name === 'wasapi') return inWine();
  return onLinux(name);
}

function simulated(): System {
  const audio = new SimulatedAudio();
  audio.addDevice({ id: 'headset', flow: 'output' });
  let programs = 0;
  return {
    name: 'simulated',
    backend: audio,
    microphone: 'Microphone (Simulated)',
    speakers: 'Speakers (Simulated)',
    cable: 'cable-input',
    announces: true,
    async play(place, frequency, db = -12) {
      const device = audio.device(place === 'microphone' ? 'mic' : 'speakers');
      const program = `player ${++programs}`;
      device.play(tone(frequency, { gain: level(db) }), { program });
      return undoneOnce(async () => void device.stop(program));
    },
    async playTo({ id }, frequency, db = -12) {
      const device = audio.device(id).play(tone(frequency, { gain: level(db) }));
      return undoneOnce(async () => void device.stop());
    },
    async program(frequency, db = -12) {
      const name = `Player ${++programs}`;
      const launcher = audio.addProcess({ name: 'launcher.exe' });
      const player = audio
        .addProcess({ name: 'player.exe', displayName: name, parent: launcher.pid })
        .play(tone(frequency, { gain: level(db) }), { device: 'speakers' });
      return {
        name,
        pid: launcher.pid,
        move: async (device) => void player.move(device),
        mute: async (muted) => void player.mute(muted),
        exit: undoneOnce(async () => {
          player.exit();
          launcher.exit();
        }),
      };
    },
    async crowd(count) {
      const crowd = Array.from({ length: count }, () => audio.addProcess({ name: 'crowd.exe' }));
      return { name: 'crowd', exit: undoneOnce(async () => crowd.forEach((one) => one.exit())) };
    },
    async record(_microphone, seconds) {
      // The cable's microphone carries what the cable plays.
      const cable = audio.device('cable-input').record({ maxMs: seconds * 1000 });
      for (;;) {
        const { data, full } = cable.recorded();
        // Not an earlier recording, which stays readable until the device's next turn.
        // The first period began before: it may hold the end of what was closed just now.
        if (full && data.length === seconds * 96000) return data.subarray(960);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async muteMicrophone(muted) {
      audio.device('mic').mute(muted);
    },
    async unplugMicrophone() {
      audio.device('mic').unplug();
      return undoneOnce(async () => void audio.device('mic').plug());
    },
    close: async () => {},
  };
}

interface Outside {
  play(options: { device: string; frequency: number; db?: number }): Promise<number>;
  stop(options: { player: number }): Promise<void>;
  identify(options: { player: number }): Promise<{ name: string; pid: number }>;
  move(options: { player: number; device: string }): Promise<void>;
  mutePlayer(options: { player: number; muted: boolean }): Promise<void>;
  record(options: { source: string; seconds: number }): Promise<{ file: string }>;
  mute(options: { source: string; muted: boolean }): Promise<void>;
  removeDevice(options: { name: string }): Promise<void>;
  restoreDevice(options: { name: string }): Promise<void>;
  close(): Promise<void>;
}

// A file that no other program is.
async function crowdOfSleepers(count: number) {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-crowd-'));
  const name = `crowd-${process.pid}`;
  copyFileSync('/bin/sleep', join(folder, name));
  const script = 'for i in $(seq "$1"); do "$0" 600 & done; echo ready; wait';
  const shell = spawn('sh', ['-c', script, join(folder, name), String(count)], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await new Promise((resolve) => shell.stdout.once('data', resolve));
  const exit = undoneOnce(async () => {
    const ended = new Promise((resolve) => shell.once('close', resolve));
    process.kill(-shell.pid!);
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  return { name, exit };
}

function real(
  outside: Outside,
  fixed: Pick<System, 'name' | 'backend' | 'cable' | 'announces' | 'microphone' | 'speakers'>,
  sourceOf: (microphone: { id: string; name: string }) => string,
  read: (file: string) => Buffer,
): System {
  return {
    ...fixed,
    async play(place, frequency, db = -12) {
      const device = place === 'microphone' ? 'micfeed' : 'speakers';
      const player = await outside.play({ device, frequency, db });
      return undoneOnce(() => outside.stop({ player }));
    },
    async playTo(output, frequency, db = -12) {
      const device = fixed.name === 'wasapi' ? 'cable' : output.id;
      const player = await outside.play({ device, frequency, db });
      return undoneOnce(() => outside.stop({ player }));
    },
    // Wine's own mmdevapi has no process loopback; the simulated Windows engine has its own tests.
    program:
      fixed.name === 'wasapi'
        ? undefined
        : async (frequency, db = -12) => {
            const player = await outside.play({ device: 'speakers', frequency, db });
            return {
              ...(await outside.identify({ player })),
              move: (device) => outside.move({ player, device }),
              mute: (muted) => outside.mutePlayer({ player, muted }),
              exit: undoneOnce(() => outside.stop({ player })),
            };
          },
    crowd: fixed.name === 'wasapi' ? undefined : crowdOfSleepers,
    async record(microphone, seconds) {
      const { file } = await outside.record({ source: sourceOf(microphone), seconds });
      const bytes = read(file);
      return new Float32Array(
        bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
      );
    },
    muteMicrophone:
      fixed.name === 'wasapi'
        ? undefined
        : async (muted) => {
            if (muted) onTestFinished(() => outside.mute({ source: 'mic', muted: false }));
            await outside.mute({ source: 'mic', muted });
          },
    async unplugMicrophone() {
      await outside.removeDevice({ name: 'mic' });
      return undoneOnce(() => outside.restoreDevice({ name: 'mic' }));
    },
    close: () => outside.close(),
  };
}

function onLinux(name: string): System {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-conformance-'));
  const outside = createOutside({ env: {}, folder }) as Outside;
  const system = real(
    outside,
    {
      name,
      backend: 'pulse' satisfies BackendName,
      microphone: 'Microphone',
      speakers: 'Speakers',
      cable: undefined,
      announces: true,
    },
    ({ id }) => id,
    (file) => readFileSync(file),
  );
  return {
    ...system,
    async close() {
      await system.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function inWine(): Promise<System> {
  const outside = (await connectOutside()) as Outside | undefined;
  if (!outside) throw new Error('PATCHCORD_OUTSIDE is not set: run test/windows/run.mjs');
  return real(
    outside,
    {
      name: 'wasapi',
      backend: 'wasapi' satisfies BackendName,
      microphone: 'Microphone',
      speakers: 'Speakers',
      cable: 'CABLE_Input',
      announces: false,
    },
    () => 'cable_out',
    // Wine shows the Linux file system as drive Z.
    (file) => readFileSync(`Z:${file}`),
  );
}
