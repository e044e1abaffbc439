// The tags of a WAVE header that identify the encoding of its samples.
export const tagPcm = 0x0001;
export const tagFloat = 0x0003;
export const tagALaw = 0x0006;
export const tagMuLaw = 0x0007;
export const tagExtensible = 0xfffe;
// The sub-format of an extensible header is a GUID: one of the tags, followed by these bytes.
export const subFormatTail = Buffer.from('000000001000800000aa00389b71', 'hex');
// The same for ambisonic recordings (B-format). Their samples are plain PCM or floats.
export const ambisonicTail = Buffer.from('00002107d3118644c8c1ca000000', 'hex');

/** Names of encodings that WAV files carry and this package does not decode, by format tag. */
const names: Readonly<Record<number, string>> = {
  0x0002: 'Microsoft ADPCM',
  0x0010: 'OKI ADPCM',
  0x0011: 'IMA ADPCM',
  0x0014: 'G.723 ADPCM',
  0x0020: 'Yamaha ADPCM',
  0x0022: 'TrueSpeech',
  0x0028: 'LRC',
  0x0031: 'GSM 6.10',
  0x0040: 'G.721 ADPCM',
  0x0041: 'G.728',
  0x0042: 'G.723.1',
  0x0045: 'G.726 ADPCM',
  0x0050: 'MPEG layer 1 or 2',
  0x0055: 'MP3',
  0x0061: 'Duck DK4 ADPCM',
  0x0062: 'Duck DK3 ADPCM',
  0x0064: 'G.726 ADPCM',
  0x0065: 'G.722',
  0x0069: 'IMA ADPCM of the Xbox',
  0x0083: 'G.729',
  0x0092: 'AC-3 over S/PDIF',
  0x00ff: 'AAC',
  0x0130: 'Sipro ACELP',
  0x0160: 'Windows Media Audio 1',
  0x0161: 'Windows Media Audio 2',
  0x0162: 'Windows Media Audio Professional',
  0x0163: 'Windows Media Audio Lossless',
  0x0200: 'Creative ADPCM',
  0x0270: 'Sony ATRAC3',
  0x028f: 'G.722',
  0x0401: 'Indeo Audio',
  0x1600: 'AAC in ADTS',
  0x1602: 'AAC in LATM',
  0x1610: 'High-Efficiency AAC',
  0x2000: 'AC-3',
  0x2001: 'DTS',
  0x2048: 'Sonic',
  0x4143: 'Windows Media Voice',
  0x566f: 'Vorbis',
  0x674f: 'Vorbis',
  0x6750: 'Vorbis',
  0x6751: 'Vorbis',
  0x676f: 'Vorbis',
  0x6770: 'Vorbis',
  0x6771: 'Vorbis',
  0x704f: 'Opus',
  0x706d: 'AAC',
  0xa106: 'AAC',
  0xa109: 'Speex',
  0xf1ac: 'FLAC',
};

/** The name of an encoding for messages, or its number if the name is not known. */
export function nameOfTag(tag: number): string {
  const number = `format tag 0x${tag.toString(16).padStart(4, '0')}`;
  return names[tag] ? `${names[tag]} (${number})` : `an unknown encoding (${number})`;
}
