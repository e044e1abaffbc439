// Volume and mute that a server remembers of other streams, and of ours.
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import { MicSource, SpeakerSink, ToneSource, VirtualMicSink, type SinkWarning } from 'patchcord';

import { openSystem, type System } from './system.js';
import { until } from './wait.js';

const name = process.env.PATCHCORD_TEST_BACKEND;
const run = promisify(execFile);

interface Listed {
  index: number;
  mute: boolean;
  properties: Record<string, string>;
}
const list = async (what: 'source-outputs' | 'sink-inputs'): Promise<Listed[]> =>
  JSON.parse((await run('pactl', ['--format=json', 'list', what])).stdout) as Listed[];

describe.runIf(name === 'pulse' || name === 'pipewire')('a stream of ours', () => {
  let system: System;
  beforeAll(async () => (system = await openSystem()));
  afterAll(() => system.close());

  /** A program's stream is muted and turned down, then the program ends; the server remembers it. */
  function muteAnother(kind: 'source-output' | 'sink-input', ...options: string[]) {
    return setAnother(kind, '1', '10%', ...options);
  }

  async function setAnother(
    kind: 'source-output' | 'sink-input',
    mute: '0' | '1',
    volume: string,
    ...options: string[]
  ) {
    const [program, device] =
      kind === 'source-output' ? ['parec', 'mic'] : ['pacat < /dev/zero', 'speakers'];
    const named = `other-${process.pid}-${options.length}-${kind}-${mute}`;
    const properties = [`--device=${device}`, `--property=test.name=${named}`, ...options];
    const child = spawn('sh', ['-c', `${program} "$@" > /dev/null`, 'sh', ...properties], {
      detached: true,
      stdio: 'ignore',
    });
    const end = () => {
      if (child.exitCode === null && child.signalCode === null)
        process.kill(-child.pid!, 'SIGKILL');
    };
    onTestFinished(end);
    const find = async () =>
      (await list(`${kind}s`)).find(({ properties: its }) => its['test.name'] === named);
    await until(async () => (await find()) !== undefined, 'its stream');
    const index = String((await find())!.index);
    await run('pactl', [`set-${kind}-mute`, index, mute]);
    await run('pactl', [`set-${kind}-volume`, index, volume]);
    // WirePlumber looks at it on its own time.
    await new Promise((resolve) => setTimeout(resolve, 500));
    end();
    await until(async () => (await find()) === undefined, 'its end');
  }

  it('hears a microphone although a program of its name was muted', async () => {
    await system.play('microphone', 440);
    await muteAnother('source-output', '--client-name=node');
    const mic = await MicSource.open({ backend: 'pulse', device: 'mic' });
    await until(() => mic.level().rmsDb > -16, 'the tone at its level');
    expect(mic.muted).toBe(false);
    await mic.close();
    await setAnother('source-output', '0', '100%', '--client-name=node');
  });

  // WirePlumber knows streams of a role by that alone: then at least it says so.
  it('hears a microphone, or says that it is muted, although another call was muted', async () => {
    await system.play('microphone', 440);
    await muteAnother('source-output', '--property=media.role=phone');
    const mic = await MicSource.open({
      backend: 'pulse',
      device: 'mic',
      category: 'communications',
    });
    await until(() => mic.muted === (name === 'pipewire'), 'the truth about its mute');
    if (name === 'pulse') await until(() => mic.level().rmsDb > -16, 'the tone at its level');
    await mic.close();
    // The tests after this one share the server.
    await setAnother('source-output', '0', '100%', '--property=media.role=phone');
  });

  it('says that it is muted when a user mutes it, and that it no longer is', async () => {
    const mic = await MicSource.open({ backend: 'pulse', device: 'mic' });
    const events: string[] = [];
    mic.on('mute', () => events.push('mute')).on('unmute', () => events.push('unmute'));
    const own = (await list('source-outputs')).find(
      ({ properties }) => properties['application.process.id'] === String(process.pid),
    )!;
    await run('pactl', ['set-source-output-mute', String(own.index), '1']);
    await until(() => events.at(-1) === 'mute', 'mute');
    expect(mic.muted).toBe(true);
    await run('pactl', ['set-source-output-mute', String(own.index), '0']);
    await until(() => events.at(-1) === 'unmute', 'unmute');
    await mic.close();
  });

  it('plays although a program of its name was muted', async () => {
    await muteAnother('sink-input', '--client-name=node');
    const sink = await SpeakerSink.open({ backend: 'pulse', device: 'speakers' });
    new ToneSource({ frequency: 500, gain: 0.25, durationMs: 60_000 }).pipe(sink);
    const own = (await list('sink-inputs')).find(
      ({ properties }) => properties['application.process.id'] === String(process.pid),
    );
    expect(own?.mute).toBe(false);
    sink.destroy();
    await setAnother('sink-input', '0', '100%', '--client-name=node');
  });

  it('warns when what it plays into a virtual microphone is muted', async () => {
    const sink = await VirtualMicSink.open({ backend: 'pulse', name: 'Muted playback' });
    const warnings: SinkWarning[] = [];
    sink.on('warning', (warning) => warnings.push(warning));
    new ToneSource({ frequency: 500, durationMs: 60_000 }).pipe(sink);
    const own = (await list('sink-inputs')).find(
      ({ properties }) => properties['application.process.id'] === String(process.pid),
    )!;
    await run('pactl', ['set-sink-input-mute', String(own.index), '1']);
    await until(() => warnings.length > 0, 'a warning');
    expect(warnings[0]).toMatchObject({ code: 'muted' });
    expect(warnings[0].message).toMatch(/playback of this app is muted/);
    // The volume remembered now would silence the next test as well.
    await run('pactl', ['set-sink-input-mute', String(own.index), '0']);
    sink.destroy();
  });
});
