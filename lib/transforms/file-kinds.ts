// The first bytes of the kinds of audio files that are given to a WAV reader by mistake.

interface Kind {
  offset: number;
  bytes: Buffer;
  name: string;
}

const kind = (name: string, bytes: string, offset = 0): Kind => ({
  name,
  offset,
  bytes: Buffer.from(bytes, 'latin1'),
});

// Longer patterns come first.
const kinds: readonly Kind[] = [
  kind('an AIFF file', 'AIFF', 8),
  kind('an AIFF-C file', 'AIFC', 8),
  kind('an IFF file', 'FORM'),
  kind('a FLAC file', 'fLaC'),
  kind('an Ogg file', 'OggS'),
  kind('an MP3 file', 'ID3'),
  kind('an MP3 file', '\xff\xfb'),
  kind('an MP3 file', '\xff\xf3'),
  kind('an MP3 file', '\xff\xf2'),
  kind('an AAC file', '\xff\xf1'),
  kind('an AAC file', '\xff\xf9'),
  kind('an MP4 file', 'ftyp', 4),
  kind('a WebM or Matroska file', '\x1a\x45\xdf\xa3'),
  kind('a Core Audio file (CAF)', 'caff'),
  kind('an AU file', '.snd'),
  kind('a Wave64 file', 'riff\x2e\x91\xcf\x11'),
  kind('an AMR file', '#!AMR'),
  kind('a MIDI file', 'MThd'),
  kind('a Windows Media file', '\x30\x26\xb2\x75'),
  kind('a WavPack file', 'wvpk'),
  kind("a Monkey's Audio file", 'MAC '),
];

/** The number of bytes that identify every kind. */
export const kindBytes = 12;

/** The kind of a file that begins with `head`, with an article; undefined if the kind is not known. */
export function nameOfKind(head: Buffer): string | undefined {
  return kinds.find(({ offset, bytes }) =>
    head.subarray(offset, offset + bytes.length).equals(bytes),
  )?.name;
}
