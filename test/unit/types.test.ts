// The types of chunks and events. `npm run typecheck` checks it: nothing here needs a device.
import { once, type EventEmitter } from 'node:events';
import type { Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { expectTypeOf, it } from 'vitest';

import {
  EchoCanceller,
  Gain,
  LevelMeter,
  Mixer,
  Resampler,
  ToneSource,
  WavEncoder,
  WavReader,
  type AudioDevice,
  type AudioFormat,
  type AudioReadable,
  type AudioSink,
  type AudioSource,
  type DeviceMonitor,
  type Discontinuity,
  type EchoCancellerStats,
  type EchoWarning,
  type LevelReport,
  type LoopbackSource,
  MicSource,
  type MixerInput,
  type ProcessMonitor,
  ProcessSource,
  type SimulatedBackend,
  SpeakerSink,
  VirtualMicSink,
  type WavWarning,
  type WavWriter,
} from 'patchcord';

const never = (): boolean => false;

it('a loop over a stream gives buffers', async () => {
  for (const stream of [new Gain(), new Mixer(), new WavReader(), new ToneSource()]) {
    expectTypeOf(stream[Symbol.asyncIterator]().next()).resolves.toExtend<
      IteratorResult<Buffer, undefined>
    >();
    if (!never()) continue;
    for await (const chunk of stream) expectTypeOf(chunk).toEqualTypeOf<Buffer>();
  }
});

it('listeners, however they are added or removed, have the types of their events', () => {
  const typed = (mic: MicSource, program: ProcessSource, sink: AudioSink): void => {
    mic.on('data', (chunk) => expectTypeOf(chunk).toEqualTypeOf<Buffer>());
    mic.prependListener('discontinuity', (one) => expectTypeOf(one).toEqualTypeOf<Discontinuity>());
    mic.off('dead', ({ frame }) => expectTypeOf(frame).toBeNumber());
    program.once('attach', ({ missedMs }) => expectTypeOf(missedMs).toBeNumber());
    sink.addListener('overrun', ({ frames }) => expectTypeOf(frames).toBeNumber());
  };
  expectTypeOf(typed).toBeFunction();
  new Gain()
    .on('data', (chunk) => expectTypeOf(chunk).toEqualTypeOf<Buffer>())
    .on('discontinuity', (one) => expectTypeOf(one).toEqualTypeOf<Discontinuity>());
  new LevelMeter().on('level', (report) => expectTypeOf(report).toEqualTypeOf<LevelReport>());
  new ToneSource().on('data', (chunk) => expectTypeOf(chunk).toEqualTypeOf<Buffer>());
  new Mixer().removeListener('inputClose', ({ input }) =>
    expectTypeOf(input).toEqualTypeOf<MixerInput>(),
  );
  const canceller = new EchoCanceller({ reference: new ToneSource() }).on('warning', (warning) =>
    expectTypeOf(warning).toEqualTypeOf<EchoWarning>(),
  );
  expectTypeOf(canceller.stats()).toEqualTypeOf<Readonly<EchoCancellerStats>>();
  new WavReader()
    .on('format', (format) => expectTypeOf(format).toEqualTypeOf<Readonly<AudioFormat>>())
    .on('warning', (warning) => expectTypeOf(warning).toEqualTypeOf<WavWarning>());
});

it('a misspelt event does not compile, in any class', () => {
  const misspelt = (
    sources: { mic: MicSource; loopback: LoopbackSource; program: ProcessSource },
    sinks: { speaker: SpeakerSink; virtual: VirtualMicSink; file: WavWriter; input: MixerInput },
    monitors: { devices: DeviceMonitor; programs: ProcessMonitor },
  ): void => {
    // @ts-expect-error: level
    sources.mic.on('levle', () => {});
    // @ts-expect-error: data
    sources.loopback.once('date', () => {});
    // @ts-expect-error: attach
    sources.program.prependListener('atach', () => {});
    // @ts-expect-error: of a ProcessSource only
    sources.mic.on('attach', () => {});
    // @ts-expect-error: underrun
    sinks.speaker.addListener('under-run', () => {});
    // @ts-expect-error: idle
    sinks.virtual.off('idel', () => {});
    // @ts-expect-error: finish
    sinks.file.on('finished', () => {});
    // @ts-expect-error: close
    sinks.input.once('closed', () => {});
    // @ts-expect-error: add
    monitors.devices.on('added', () => {});
    // @ts-expect-error: remove
    monitors.programs.on('removed', () => {});
    // @ts-expect-error: inputClose
    new Mixer().on('inputclose', () => {});
    // @ts-expect-error: discontinuity
    new Resampler().on('discontinuities', () => {});
    // @ts-expect-error: level
    new LevelMeter().removeListener('levels', () => {});
    // @ts-expect-error: warning
    new EchoCanceller({ reference: new ToneSource() }).on('warnings', () => {});
    // @ts-expect-error: format
    new WavReader().on('formats', () => {});
    // @ts-expect-error: data
    new WavEncoder().on('Data', () => {});
    // @ts-expect-error: end
    new ToneSource().on('ends', () => {});
    // @ts-expect-error: an event that the class does not have
    sources.mic.emit('levle');
    // @ts-expect-error: a chunk is a Buffer
    sources.mic.on('data', (chunk: number) => chunk);
    // @ts-expect-error: the event has no such field
    sources.mic.on('discontinuity', ({ reasons }) => reasons);
  };
  expectTypeOf(misspelt).toBeFunction();
});

it('a variable that holds one of several streams has the events of Node', () => {
  const listen = (stream: MicSource | ProcessSource | Mixer | Gain | WavReader): void => {
    stream.on('data', (chunk) => expectTypeOf(chunk).toEqualTypeOf<Buffer>());
    stream.once('error', (error) => expectTypeOf(error).toEqualTypeOf<Error>());
    // @ts-expect-error: end
    stream.on('ended', () => {});
  };
  const ended = (stream: SpeakerSink | WavWriter | Gain): Promise<unknown> =>
    new Promise((resolve) => stream.once('finish', resolve));
  const lost = (stream: AudioReadable): unknown =>
    stream.on('discontinuity', ({ frames }) => expectTypeOf(frames).toBeNumber());
  expectTypeOf(lost).toBeCallableWith(new Mixer());
  expectTypeOf([listen, ended]).toBeArray();
});

it('a stream is where a stream of Node is expected', async () => {
  expectTypeOf<MicSource>().toExtend<Readable>();
  expectTypeOf<SpeakerSink>().toExtend<Writable>();
  expectTypeOf<Gain>().toExtend<Transform>();
  expectTypeOf<DeviceMonitor>().toExtend<EventEmitter>();
  if (!never()) return;
  await pipeline(new ToneSource(), new Gain(), new WavEncoder(), process.stdout);
  await once(new Mixer(), 'end');
});

it('a subclass may override methods of the emitter', () => {
  class Louder extends Gain {
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as Node declares it
    override on(event: string, listener: (...args: any[]) => void): this {
      return super.on(event as 'end', listener);
    }
  }
  expectTypeOf(new Louder().on('data', () => {})).toEqualTypeOf<Louder>();
});

it('not every object is an audio system', () => {
  expectTypeOf<object>().not.toExtend<SimulatedBackend>();
});

it('what is open has a device and a microphone', async () => {
  if (!never()) return;
  const sink = await VirtualMicSink.open();
  expectTypeOf(sink.microphone).toEqualTypeOf<AudioDevice>();
  expectTypeOf(sink.device.name).toEqualTypeOf<string>();
  expectTypeOf(sink.periodMs).toEqualTypeOf<number>();
  expectTypeOf(sink).toExtend<VirtualMicSink>();
  const { microphone } = await new VirtualMicSink().ready;
  expectTypeOf(microphone).toEqualTypeOf<AudioDevice>();
  expectTypeOf(new VirtualMicSink().microphone).toEqualTypeOf<AudioDevice | undefined>();
  expectTypeOf((await SpeakerSink.open()).granted.lowLatency).toEqualTypeOf<boolean>();
  expectTypeOf((await MicSource.open()).device).toEqualTypeOf<AudioDevice>();
  expectTypeOf((await new MicSource().ready).device.id).toEqualTypeOf<string>();
  const sources: AudioSource[] = [new MicSource(), new ProcessSource({ process: 1 })];
  expectTypeOf(sources[0].device).toEqualTypeOf<AudioDevice | undefined>();
  const programs = await ProcessSource.open({ process: 1 });
  expectTypeOf(programs.device).toEqualTypeOf<undefined>();
  expectTypeOf(programs.periodMs).toEqualTypeOf<number>();
});
