// A virtual microphone on Linux: what other programs see of it and hear from it.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  getDefaultDevice,
  listVirtualMics,
  ToneSource,
  VirtualMicSink,
  type SinkWarning,
} from 'patchcord';

import { measureTone } from '../instruments/index.js';
import { realPrograms, type Microphone } from './real-programs.js';
import { typicalTone } from './typical-tone.js';
import { openSystem, type System } from './system.js';
import { until } from './wait.js';
import { listenBeside } from './witness.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const name = process.env.PATCHCORD_TEST_BACKEND;
const onServer = name === 'pulse' || name === 'pipewire';
const programs = onServer
  ? realPrograms((what) => {
      console.log(what);
      if (process.env.PATCHCORD_REQUIRE_ALL) throw new Error(what);
    })
  : [];

describe.runIf(onServer)('a virtual microphone on Linux', () => {
  let system: System;
  let sink: VirtualMicSink;
  beforeAll(async () => {
    system = await openSystem();
    sink = await new VirtualMicSink({ name: 'Robot "R2"', latencyMs: 100, bufferMs: 4000 }).ready;
    new ToneSource({ frequency: 997, gain: 0.25, durationMs: 600_000 }).pipe(sink);
  });
  afterAll(async () => {
    sink.destroy();
    await system.close();
  });

  it('has a name, a description and an icon, and is no default', async () => {
    const shown = await shownSource(sink.microphone as Microphone);
    expect(shown).toMatch(/^\tDescription: Robot .R2.$/m);
    expect(shown).toContain('device.icon_name = "audio-input-microphone"');
    expect((await getDefaultDevice('input'))?.name).toBe('Microphone');
    expect((await getDefaultDevice('output'))?.name).toBe('Speakers');
  });

  it('is listed with both its ends', async () => {
    const mics = await listVirtualMics();
    const mine = mics.find(({ capture }) => capture?.id === sink.microphone?.id);
    expect(mine).toMatchObject({
      driver: name === 'pipewire' ? 'pipewire' : 'pulseaudio',
      render: { id: sink.device?.id },
      recognisedBy: 'server',
      pairedBy: 'server',
    });
    expect(mics.some(({ capture }) => capture?.name === 'Microphone')).toBe(true);
  });

  it.each(programs)('is heard by $name', async ({ record }) => {
    const testify = await listenBeside(sink, 997);
    const { samples, listed } = await record(sink.microphone as Microphone, 4);
    const { heard, uncounted } = await testify();
    if (listed) expect(listed).toContain(sink.microphone?.name);
    // The first second is the program's: it may begin with silence.
    const sound = samples.subarray(48000, 4 * 48000 - 4800);
    const { frequency, peakDb } = typicalTone(sound, 48000, 997);
    expect(Math.abs(frequency - 997)).toBeLessThan(1);
    expect(Math.abs(peakDb + 12.04)).toBeLessThan(0.2);
    const quarters = Array.from({ length: 11 }, (_, index) =>
      measureTone(sound.subarray(index * 12000, (index + 1) * 12000), 48000, 997),
    );
    const broken = quarters.filter(({ snrDb }) => snrDb < 40).length;
    console.log(
      `${frequency.toFixed(3)} Hz, ${peakDb.toFixed(2)} dBFS, broken quarters of a second: ${broken}; beside it ${heard} breaks`,
    );
    // A break in all recordings was counted; other breaks are the program's, which a loaded machine
    // makes lose a piece now and then.
    expect(uncounted).toEqual([]);
    if (heard === 0) expect(broken).toBeLessThan(3);
  });

  it('is one of two, each with its own name and sound', async () => {
    const other = await new VirtualMicSink({ name: 'Robot "R2"', latencyMs: 100, bufferMs: 4000 })
      .ready;
    new ToneSource({ frequency: 440, gain: 0.25, durationMs: 60_000 }).pipe(other);
    const mics = [sink, other].map(({ microphone }) => microphone as Microphone);
    expect(mics[1].name).toBe(`${mics[0].name} (2)`);
    const heard = await Promise.all(mics.map((mic) => system.record(mic, 2)));
    for (const [index, near] of [997, 440].entries()) {
      const left = heard[index].filter((_, sample) => sample % 2 === 0).subarray(24000);
      expect(Math.abs(typicalTone(left, 48000, near).frequency - near)).toBeLessThan(1);
    }
    other.destroy();
  });

  it('causes one warning each time it is muted or nearly muted', async () => {
    const { id, name: label } = sink.microphone as Microphone;
    const warnings: SinkWarning[] = [];
    sink.on('warning', (warning) => warnings.push(warning));
    const set = async (what: string, value: string, expected: number) => {
      await run('pactl', [`set-source-${what}`, id, value]);
      await until(() => warnings.length === expected, `warning ${expected}`);
    };
    await set('mute', '1', 1);
    expect(warnings[0]).toMatchObject({ code: 'muted' });
    expect(warnings[0].message).toContain(`'${label}' is muted`);
    await run('pactl', ['set-source-mute', id, '0']);
    await set('volume', '-40dB', 2);
    expect(warnings[1]).toMatchObject({ code: 'quiet' });
    expect(warnings[1].message).toContain('by 40 dB');
    await run('pactl', ['set-source-volume', id, '0dB']);
    await set('mute', '1', 3);
    await run('pactl', ['set-source-mute', id, '0']);
    await run('pactl', ['set-sink-mute', sink.device?.id as string, '1']);
    await until(() => warnings.length === 4, 'a warning of the end that is played to');
    await run('pactl', ['set-sink-mute', sink.device?.id as string, '0']);
  });

  it('is removed by the next process after its process has crashed', async () => {
    const crash =
      "new VirtualMicSink({ name: 'Left behind' }).ready.then(() => process.kill(process.pid, 'SIGKILL'))";
    await expect(program(crash)).rejects.toMatchObject({ signal: 'SIGKILL' });
    const isThere = async () =>
      (await run('pactl', ['list', 'sources'])).stdout.includes('Description: Left behind');
    expect(await isThere()).toBe(true);
    // A server takes a moment to notice that a client is gone.
    await until(async () => {
      await program('listVirtualMics()');
      return !(await isThere());
    }, 'the end of what was left behind');
    expect(
      (await listVirtualMics()).some(({ capture }) => capture?.id === sink.microphone?.id),
    ).toBe(true);
  });
});

/** A separate program, with the built package. */
function program(script: string) {
  const text = `const { VirtualMicSink, listVirtualMics } = require('patchcord'); ${script}`;
  return run(process.execPath, ['-e', text], { cwd: root, timeout: 20_000 });
}

const run = promisify(execFile);

/** The output of `pactl` for it. (As JSON it shows nothing that is not ASCII.) */
async function shownSource({ id }: Microphone): Promise<string> {
  const env = { ...process.env, LC_ALL: 'C.UTF-8' };
  const { stdout } = await run('pactl', ['list', 'sources'], { env });
  return stdout.split('\n\n').find((source) => source.includes(`Name: ${id}\n`)) as string;
}
