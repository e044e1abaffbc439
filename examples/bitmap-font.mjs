// A font of five by seven pixels, two more below the line. One digit in base 32 is one row of five
// pixels, the left one the highest bit: 'A' is e h h v h h h.
const glyphs = {
  A: 'ehhvhhh', B: 'uhhuhhu', C: 'ehggghe', D: 'uhhhhhu', E: 'vgguggv', F: 'vgguggg', G: 'ehgnhhf',
  H: 'hhhvhhh', I: 'e44444e', J: '72222ic', K: 'hikokih', L: 'ggggggv', M: 'hrllhhh', N: 'hhpljhh',
  O: 'ehhhhhe', P: 'uhhuggg', Q: 'ehhhlid', R: 'uhhukih', S: 'fgge11u', T: 'v444444', U: 'hhhhhhe',
  V: 'hhhhha4', W: 'hhhllla', X: 'hha4ahh', Y: 'hha4444', Z: 'v1248gv',
  a: '00e1fhf', b: 'ggmphhu', c: '00egghe', d: '11djhhf', e: '00ehvge', f: '698s888', g: '00fhhhf1e',
  h: 'ggmphhh', i: '40c444e', j: '2062222ic', k: 'ggikoki', l: 'c44444e', m: '00qllhh', n: '00mphhh',
  o: '00ehhhe', p: '00uhhhugg', q: '00fhhhf11', r: '00mpggg', s: '00fge1u', t: '88s8896',
  u: '00hhhjd', v: '00hhha4', w: '00hhlla', x: '00ha4ah', y: '00hhhhf1e', z: '00v248v',
  0: 'ehjlphe', 1: '4c4444e', 2: 'eh1248v', 3: 'v2421he', 4: '26aiv22', 5: 'vgu11he', 6: '68guhhe',
  7: 'v124888', 8: 'ehhehhe', 9: 'ehhf12c',
  '.': '00000cc', ',': '00000cc48', ':': '0cc0cc0', ';': '0cc0cc48', '-': '000e000', '+': '044v440',
  '=': '00v0v00', '/': '11248gg', '\\': 'gg84211', '(': '2488842', ')': '8422248', '[': 'e88888e',
  ']': 'e22222e', '%': 'op248j3', '#': 'aavavaa', '_': '000000v', "'": '4480000', '"': 'aa00000',
  '!': '4444404', '?': 'eh12404', '<': '248g842', '>': '8421248', '|': '4444444', '*': '04lel40',
  '~': '0008l20', '&': 'cik8lid', '@': 'eh1dlle', '$': '4fke5u4', '·': '0004000',
}; // prettier-ignore

const unknown = 'vhhhhhv';
const spaceWidth = 3;

/** Height of a line from the top of 'A' to its foot, in pixels of the font. */
export const capHeight = 7;

/** @param {string} text @returns {number} width in pixels of the font */
export function textWidth(text) {
  return Math.max(
    0,
    [...plain(text)].reduce((sum, one) => sum + glyph(one).width + 1, -1),
  );
}

/**
 * @param {string} text
 * @param {(x: number, y: number) => void} dot called for each pixel of the font that is set
 */
export function drawText(text, dot) {
  let left = 0;
  for (const one of plain(text)) {
    const { rows, first, width } = glyph(one);
    rows.forEach((row, y) => {
      for (let x = 0; x < width; x++) if (row & (16 >> (first + x))) dot(left + x, y);
    });
    left += width + 1;
  }
}

/** Letters without their accents; what the font has not is shown as a box. */
function plain(text) {
  return text.normalize('NFD').replace(/\p{M}/gu, '').replaceAll('\u2212', '-');
}

function glyph(character) {
  if (character === ' ') return { rows: [], first: 0, width: spaceWidth };
  const rows = [...(glyphs[character] ?? unknown)].map((digit) => parseInt(digit, 32));
  const used = rows.reduce((all, row) => all | row, 0);
  const first = Math.clz32(used) - 27;
  const last = 4 - Math.log2(used & -used);
  // Digits keep one width, so that numbers in a column line up.
  if (character >= '0' && character <= '9') return { rows, first: 0, width: 5 };
  return { rows, first, width: last - first + 1 };
}
