import { deflateSync } from 'node:zlib';

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/**
 * A PNG of up to 256 colours, made without a dependency.
 *
 * @param {{ width: number, height: number, pixels: Uint8Array }} image one palette index per pixel
 * @param {[number, number, number][]} palette red, green, blue, 0 to 255
 * @returns {Buffer}
 */
export function encodePng({ width, height, pixels }, palette) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8; // bits per index
  header[9] = 3; // indexed colour
  // Each line begins with its filter: 0, none.
  const lines = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++) {
    lines.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  }
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.flat())),
    chunk('IDAT', deflateSync(lines, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type, body) {
  const content = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const bytes = Buffer.alloc(content.length + 8);
  bytes.writeUInt32BE(body.length, 0);
  content.copy(bytes, 4);
  bytes.writeUInt32BE(checksum(content), content.length + 4);
  return bytes;
}

// CRC-32. The oldest supported Node.js has none in node:zlib.
function checksum(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
