import { createReadStream } from 'node:fs';

import { WavReader } from 'patchcord';

import { drawPicture } from './picture.mjs';

const longestSeconds = 600;

/**
 * The picture of a WAV file of 32-bit floats, of its first ten minutes if it is longer.
 *
 * @param {string} path
 * @param {{ title?: string, marks?: import('./picture.mjs').Mark[] }} options
 * @returns {Promise<Buffer | undefined>} a PNG file; undefined when nothing was recorded
 */
export async function drawRecording(path, { title, marks = [] }) {
  const wav = createReadStream(path).pipe(new WavReader());
  const chunks = [];
  let bytes = 0;
  let format;
  for await (const chunk of wav) {
    format ??= wav.format;
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= longestSeconds * format.sampleRate * format.channels * 4) break;
  }
  if (bytes === 0) return undefined;
  const all = Buffer.concat(chunks);
  const samples = new Float32Array(all.buffer, all.byteOffset, all.length / 4);
  return drawPicture({
    channels: deinterleave(samples, format.channels),
    sampleRate: format.sampleRate,
    title,
    marks: marks.filter(({ frame }) => frame * format.channels < samples.length),
  });
}

function deinterleave(samples, channels) {
  return Array.from({ length: channels }, (_, channel) =>
    Float32Array.from(
      { length: samples.length / channels },
      (_, frame) => samples[frame * channels + channel],
    ),
  );
}
