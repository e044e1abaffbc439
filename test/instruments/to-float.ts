import { bytesPerFrame, type AudioFormat } from '../../lib/format/format.js';

/**
 * Interleaved bytes as one array per channel, full scale at -1 and 1. Bytes that end within a frame
 * are an error: a test that loses part of a frame must not pass.
 */
export function toFloat(bytes: Buffer, format: AudioFormat): Float32Array[] {
  const { channels, sampleFormat } = format;
  const frameBytes = bytesPerFrame(format);
  if (bytes.length % frameBytes !== 0) {
    throw new RangeError(`${bytes.length} bytes are no whole number of ${frameBytes}-byte frames`);
  }
  const frames = bytes.length / frameBytes;
  const sampleBytes = frameBytes / channels;
  const read = (offset: number): number =>
    sampleFormat === 'f32'
      ? bytes.readFloatLE(offset)
      : bytes.readIntLE(offset, sampleBytes) / 2 ** (8 * sampleBytes - 1);
  return Array.from({ length: channels }, (_, channel) =>
    Float32Array.from({ length: frames }, (_, i) => read(i * frameBytes + channel * sampleBytes)),
  );
}
