// How a WAVE header says what its samples are.
export const tagPcm = 1;
export const tagFloat = 3;
export const tagExtensible = 0xfffe;
// The sub-format of an extensible header is a GUID: one of the tags, followed by these bytes.
export const subFormatTail = Buffer.from('000000001000800000aa00389b71', 'hex');
