import { native } from '../engine/native.js';
import { bytesPerSample, type AudioFormat } from '../format/format.js';

/** Decodes interleaved samples into a new array; full scale is -1 to 1. */
export function decodeSamples(bytes: Uint8Array, format: Readonly<AudioFormat>): Float32Array {
  const samples = new Float32Array(bytes.byteLength / bytesPerSample(format));
  const floats = { ...format, sampleFormat: 'f32' as const };
  const decoded = native().convert(bytes, format, floats, { quality: 'high', dither: false });
  new Uint8Array(samples.buffer).set(decoded);
  return samples;
}
