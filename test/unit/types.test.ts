// What TypeScript knows of chunks and events. `npm run typecheck` checks it: nothing here needs a device.
import { expectTypeOf, it } from 'vitest';

import {
  Gain,
  LevelMeter,
  Mixer,
  ToneSource,
  WavReader,
  type AudioFormat,
  type AudioSink,
  type Discontinuity,
  type LevelReport,
  type MicSource,
  type MixerInput,
  type ProcessSource,
  type SimulatedBackend,
  type WavWarning,
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
    sink.on('an event of the app', (value: symbol) => value);
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
  new WavReader()
    .on('format', (format) => expectTypeOf(format).toEqualTypeOf<Readonly<AudioFormat>>())
    .on('warning', (warning) => expectTypeOf(warning).toEqualTypeOf<WavWarning>());
});

it('a subclass may override methods of the emitter', () => {
  class Louder extends Gain {
    override on(event: string | symbol, listener: (...args: unknown[]) => void): this {
      return super.on(event, listener);
    }
  }
  expectTypeOf(new Louder().on('data', () => {})).toEqualTypeOf<Louder>();
});

it('not every object is an audio system', () => {
  expectTypeOf<object>().not.toExtend<SimulatedBackend>();
});
