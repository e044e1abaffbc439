// The chunk of a Broadcast Wave file that contains the time of its first frame (EBU Tech 3285, version 1).

const bodyBytes = 602;

/** The wall-clock time so many nanoseconds ago. */
export function timeOfDay(agoNs: bigint): Date {
  return new Date(Date.now() - Number(agoNs) / 1e6);
}

/** The `bext` chunk of a file whose first frame was recorded at `start`, in local time as the standard requires. */
export function bextChunk(start: Date, sampleRate: number): Buffer {
  const chunk = Buffer.alloc(8 + bodyBytes);
  chunk.write('bext', 0, 'latin1');
  chunk.writeUInt32LE(bodyBytes, 4);
  chunk.write('patchcord', 8 + 256, 'latin1'); // the originator
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = [start.getFullYear(), two(start.getMonth() + 1), two(start.getDate())].join('-');
  const hours = start.getHours();
  const minutes = start.getMinutes();
  const seconds = start.getSeconds();
  chunk.write(date, 8 + 320, 'latin1');
  chunk.write([hours, minutes, seconds].map(two).join(':'), 8 + 330, 'latin1');
  const sinceMidnightMs = ((hours * 60 + minutes) * 60 + seconds) * 1000 + start.getMilliseconds();
  chunk.writeBigUInt64LE(BigInt(Math.round((sinceMidnightMs * sampleRate) / 1000)), 8 + 338);
  chunk.writeUInt16LE(1, 8 + 346);
  return chunk;
}
