import { usualMask } from './channel-map.js';
import { bytesPerFrame, bytesPerSample, type AudioFormat } from './format.js';
import { subFormatTail, tagExtensible, tagFloat, tagPcm } from './wave-tags.js';

/**
 * The header of a WAV file with `dataBytes` of audio. If that is undefined, the sizes are all ones, which means that the
 * length is unknown. The length of the header depends only on the format, so it can be
 * rewritten in place as the file grows. While sizes fit into 32 bits it contains a JUNK chunk, which later becomes the
 * ds64 chunk of RF64 (EBU Tech 3306).
 *
 * @param extra a whole chunk to put before the format.
 */
export function wavHeader(
  format: AudioFormat,
  dataBytes?: number,
  extra: Buffer = Buffer.alloc(0),
): Buffer {
  const float = format.sampleFormat === 'f32';
  const fmt = fmtChunk(format);
  // The fact chunk with the number of frames, which the standard requires for all formats but plain PCM.
  const factBytes = float ? 12 : 0;
  const header = Buffer.alloc(12 + 36 + extra.length + fmt.length + factBytes + 8);
  const known = dataBytes ?? 0;
  const riffBytes = header.length - 8 + known + (known % 2);
  const frames = known / bytesPerFrame(format);
  const large = riffBytes > 0xffffffff;
  const isOpen = large || dataBytes === undefined;
  const size32 = (size: number): number => (isOpen ? 0xffffffff : size);

  header.write(large ? 'RF64' : 'RIFF', 0, 'latin1');
  header.writeUInt32LE(size32(riffBytes), 4);
  header.write('WAVE', 8, 'latin1');
  header.write(large ? 'ds64' : 'JUNK', 12, 'latin1');
  header.writeUInt32LE(28, 16);
  if (large) {
    header.writeBigUInt64LE(BigInt(riffBytes), 20);
    header.writeBigUInt64LE(BigInt(known), 28);
    header.writeBigUInt64LE(BigInt(frames), 36);
  }
  let offset = 48 + extra.copy(header, 48);
  offset += fmt.copy(header, offset);
  if (float) {
    header.write('fact', offset, 'latin1');
    header.writeUInt32LE(4, offset + 4);
    header.writeUInt32LE(size32(frames), offset + 8);
    offset += factBytes;
  }
  header.write('data', offset, 'latin1');
  header.writeUInt32LE(size32(known), offset + 4);
  return header;
}

function fmtChunk(format: AudioFormat): Buffer {
  const { sampleRate, channels, sampleFormat } = format;
  const tag = sampleFormat === 'f32' ? tagFloat : tagPcm;
  const bits = 8 * bytesPerSample(format);
  // Old programs read only the short form. More channels or bits need the long form.
  const extensible =
    channels > 2 ||
    sampleFormat === 's24' ||
    sampleFormat === 's32' ||
    format.channelMask !== undefined;
  const bodyBytes = extensible ? 40 : tag === tagFloat ? 18 : 16;
  const chunk = Buffer.alloc(8 + bodyBytes);
  chunk.write('fmt ', 0, 'latin1');
  chunk.writeUInt32LE(bodyBytes, 4);
  chunk.writeUInt16LE(extensible ? tagExtensible : tag, 8);
  chunk.writeUInt16LE(channels, 10);
  chunk.writeUInt32LE(sampleRate, 12);
  chunk.writeUInt32LE(sampleRate * bytesPerFrame(format), 16);
  chunk.writeUInt16LE(bytesPerFrame(format), 20);
  chunk.writeUInt16LE(bits, 22);
  if (extensible) {
    chunk.writeUInt16LE(22, 24);
    chunk.writeUInt16LE(bits, 26);
    chunk.writeUInt32LE(format.channelMask ?? usualMask(channels), 28);
    chunk.writeUInt16LE(tag, 32);
    subFormatTail.copy(chunk, 34);
  }
  return chunk;
}
