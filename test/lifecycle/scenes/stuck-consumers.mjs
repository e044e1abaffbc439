// Closes a stream while a destination takes nothing: `node stuck-consumers.mjs STREAM`. Prints a line for each kind of
// destination, and must then end by itself.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, pipeline, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  Gain,
  LoopbackSource,
  MicSource,
  Mixer,
  ProcessSource,
  ToneSource,
  WavEncoder,
  WavReader,
} from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

const folder = mkdtempSync(join(tmpdir(), 'patchcord-stuck-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
process.on('uncaughtException', (error) => {
  if (error.message !== 'of the app') throw error;
});

const format = { sampleRate: 48000, channels: 2, sampleFormat: 's16' };
const audio = new SimulatedAudio({ processes: [{ name: 'player.exe' }] });
const mic = (options) => new MicSource({ backend: audio, ...options });
const streams = {
  mic,
  loopback: () => new LoopbackSource({ backend: audio }),
  process: () => new ProcessSource({ backend: audio, process: 'player.exe' }),
  endedMic: () => mic({ durationMs: 100 }),
  tone: () => new ToneSource(),
  mixer() {
    const mixer = new Mixer();
    mic().unref().pipe(mixer.createInput());
    return mixer;
  },
  writtenMixer() {
    const mixer = new Mixer();
    mixer.createInput({ format }).write(Buffer.alloc(48000));
    return mixer;
  },
  lateGain() {
    const gain = new Gain();
    setTimeout(() => mic().unref().pipe(gain), 100);
    return gain;
  },
  liveGain: () => mic().unref().pipe(new Gain()),
  gain() {
    const gain = new Gain({ from: format });
    for (let i = 0; i < 30; i++) gain.write(Buffer.alloc(48000));
    return gain;
  },
  reader() {
    const path = join(folder, 'x.wav');
    const encoder = new WavEncoder({ format });
    encoder.end(Buffer.alloc(400_000));
    writeFileSync(path, encoder.read());
    return WavReader.fromFile(path);
  },
};

const stuck = (write) => new Writable({ objectMode: true, write });
const nothing = () => {};
class Deaf extends Gain {
  _transform() {}
}
class Throwing extends Gain {
  _transform() {
    throw new Error('of the app');
  }
}
const destinations = {
  deaf: (stream) => stream.pipe(stuck(nothing)),
  unread: (stream) => stream.pipe(new PassThrough({ objectMode: true })),
  bytes: (stream) => stream.pipe(new Writable({ write: nothing })),
  throwing: (stream) =>
    stream.pipe(
      stuck(() => {
        throw new Error('of the app');
      }),
    ),
  subclass: (stream) => stream.pipe(new Deaf()),
  throwingSubclass: (stream) => stream.pipe(new Throwing()),
  pipeline: (stream) => pipeline(stream, stuck(nothing), nothing).on('error', nothing),
  notEnded: (stream) => stream.pipe(stuck(nothing), { end: false }),
  ended(stream) {
    const writable = stream.pipe(stuck(nothing));
    writable.on('error', nothing);
    setTimeout(() => writable.end(), 400);
    return writable;
  },
  destroyed(stream) {
    const writable = stream.pipe(stuck(nothing));
    setTimeout(() => writable.destroy(), 400);
    return writable;
  },
  unpiped(stream) {
    const writable = stream.pipe(stuck(nothing));
    setTimeout(() => stream.unpipe(writable).once('close', () => writable.end()), 400);
    return writable;
  },
  twice(stream) {
    stream.pipe(stuck(nothing));
    return stream.pipe(stuck((chunk, encoding, done) => done()));
  },
};

async function look(stream, [name, pipe]) {
  let given = 0;
  const destination = pipe(stream);
  const { write } = destination;
  destination.write = function (chunk, ...rest) {
    given += chunk.length;
    return write.call(this, chunk, ...rest);
  };
  // The chunks of the stream, from a reader beside the destination.
  let heard;
  if (stream.live) {
    heard = 0;
    const beside = stuck((chunk, encoding, done) => {
      heard += chunk.length;
      done();
    });
    stream.pipe(beside);
  }
  await sleep(500);
  const begun = performance.now();
  await stream.close();
  const ms = performance.now() - begun;
  await new Promise((resolve) => setImmediate(resolve));
  const late = ms > 5000 ? `, after ${ms} ms` : '';
  // Audio may arrive between the two calls of pipe().
  const cut = ['ended', 'destroyed', 'unpiped'].includes(name);
  const whole = cut || heard === undefined || Math.abs(given - heard) <= 0.2 * heard;
  const rest = whole ? '' : `, ${given} of ${heard} bytes given`;
  const open = name !== 'notEnded' && !destination.writableEnded && !destination.destroyed;
  return `${name}: closed ${stream.closed}${open ? ', destination open' : ''}${late}${rest}`;
}

const make = streams[process.argv[2]];
const lines = await Promise.all(
  Object.entries(destinations).map((destination) => look(make(), destination)),
);
console.log(lines.join('\n'));
console.log(
  `timers ${process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length}`,
);
