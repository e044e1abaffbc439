import { crc32, inflateSync } from 'node:zlib';

import { describe, expect, it, vi } from 'vitest';

import { drawText, textWidth } from '../../examples/bitmap-font.mjs';
import { drawPicture } from '../../examples/picture.mjs';

// Work, not waiting; yet a busy machine may take its time.
vi.setConfig({ testTimeout: 60_000 });

const sampleRate = 48000;

function tone(frequency: number, seconds: number, amplitude = 0.25): Float32Array {
  const omega = (2 * Math.PI * frequency) / sampleRate;
  return Float32Array.from(
    { length: seconds * sampleRate },
    (_, i) => amplitude * Math.sin(omega * i),
  );
}

/** Reads back what was drawn, as a viewer does: every checksum, every size. */
function decode(png: Buffer) {
  expect(png.toString('latin1', 0, 8)).toBe('\x89PNG\r\n\x1a\n');
  const chunks = new Map<string, Buffer>();
  for (let offset = 8; offset < png.length;) {
    const length = png.readUInt32BE(offset);
    const typed = png.subarray(offset + 4, offset + 8 + length);
    expect(png.readUInt32BE(offset + 8 + length)).toBe(crc32(typed));
    chunks.set(typed.toString('latin1', 0, 4), typed.subarray(4));
    offset += length + 12;
  }
  expect([...chunks.keys()]).toEqual(['IHDR', 'PLTE', 'IDAT', 'IEND']);
  const header = chunks.get('IHDR')!;
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const lines = inflateSync(chunks.get('IDAT')!);
  expect(lines).toHaveLength((width + 1) * height);
  const palette = chunks.get('PLTE')!;
  const indexAt = (x: number, y: number): number => lines[y * (width + 1) + 1 + x];
  return {
    width,
    height,
    indexAt,
    colourAt: (x: number, y: number): number[] => [
      ...palette.subarray(3 * indexAt(x, y), 3 * indexAt(x, y) + 3),
    ],
  };
}

// Where the first channel's panels are in a picture of one or two channels.
const plot = { left: 96, right: 1600 - 128, wave: 104, spectrum: 104 + 130 + 16, height: 230 };
const firstScaleIndex = 16;

/** The row of a column of the first spectrogram that is brightest, as Hz on the picture's scale. */
function brightest(picture: ReturnType<typeof decode>, x: number): { hz: number; index: number } {
  let best = { row: 0, index: 0 };
  for (let row = 0; row < plot.height; row++) {
    const index = picture.indexAt(x, plot.spectrum + row);
    if (index >= firstScaleIndex && index > best.index) best = { row, index };
  }
  const part = 1 - best.row / (plot.height - 1);
  return { hz: 700 * Math.expm1(part * Math.log1p(8000 / 700)), index: best.index };
}

describe('drawPicture', () => {
  it('shows a tone at its frequency, brighter when it is louder', () => {
    for (const frequency of [440, 1000, 5000]) {
      const loud = decode(drawPicture({ channels: [tone(frequency, 1)], sampleRate }));
      const quiet = decode(drawPicture({ channels: [tone(frequency, 1, 0.001)], sampleRate }));
      for (const x of [plot.left + 1, 701, plot.right - 2]) {
        const found = brightest(loud, x);
        expect(Math.abs(found.hz / frequency - 1)).toBeLessThan(0.05);
        // 48 dB on a scale of 240 steps over 100 dB; the grid and rounding take their part.
        expect(found.index - brightest(quiet, x).index).toBeCloseTo(115, -1);
      }
    }
  });

  it('shows the level in the waveform, and a gap as a line', () => {
    const samples = tone(1000, 1, 0.5);
    samples.fill(0, 24000, 30000);
    const picture = decode(drawPicture({ channels: [samples], sampleRate }));
    const drawn = (x: number): number => {
      let rows = 0;
      for (let y = plot.wave; y < plot.wave + 130; y++) {
        const index = picture.indexAt(x, y);
        if (index === 6 || index === 7) rows++;
      }
      return rows;
    };
    expect(drawn(plot.left + 200)).toBeGreaterThan(120); // the axis ends at 0.5
    expect(drawn(plot.left + Math.round(0.56 * 1376))).toBe(1);
  });

  it('is the same, byte for byte, for the same audio', () => {
    const recording = { channels: [tone(440, 0.5), tone(1000, 0.5)], sampleRate, title: 'Twice' };
    expect(drawPicture(recording).equals(drawPicture(recording))).toBe(true);
    const other = drawPicture({ ...recording, title: 'Thrice' });
    expect(drawPicture(recording).equals(other)).toBe(false);
  });

  it('points at marks', () => {
    const channels = [tone(440, 1)];
    const mark = { frame: 24000, frames: 4800, label: 'gap' };
    const picture = decode(drawPicture({ channels, sampleRate, marks: [mark] }));
    const gold = [255, 196, 84];
    const middle = plot.left + Math.round(0.55 * 1376);
    expect(picture.colourAt(middle, plot.wave - 6)).toEqual(gold);
    expect(picture.colourAt(middle - 200, plot.wave - 6)).not.toEqual(gold);
  });

  it.each([
    ['nothing', [new Float32Array(0)], 48000],
    ['one frame', [Float32Array.of(0.5)], 48000],
    ['no number', [new Float32Array(4800).fill(NaN)], 48000],
    ['eight channels', Array.from({ length: 8 }, () => tone(440, 0.1)), 48000],
    ['a low rate', [tone(440, 0.1)], 8000],
    ['a high rate, too loud', [tone(440, 0.1, 3)], 384000],
  ])('draws %s', (_, channels, rate) => {
    const marks = [{ frame: 0, label: 'start' }];
    const { width, height } = decode(
      drawPicture({ channels, sampleRate: rate, title: 'x'.repeat(500), marks }),
    );
    expect(width).toBe(1600);
    expect(height).toBeGreaterThan(400);
  });
});

describe('the font', () => {
  const dots = (text: string): string[] => {
    const found: string[] = [];
    drawText(text, (x, y) => found.push(`${x},${y}`));
    return found;
  };

  it('has a separate form for every printable ASCII character that labels need', () => {
    const seen = new Map<string, string>();
    for (const character of '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.,:;-+=/()%"\'#_&!?') {
      const shape = dots(character).join(' ');
      expect(shape).not.toBe('');
      expect(seen.get(shape)).toBeUndefined();
      seen.set(shape, character);
    }
  });

  it('stays within the width that it announces', () => {
    const text = 'Gap: 12.5 ms (left) jg';
    const rightmost = Math.max(...dots(text).map((dot) => parseInt(dot, 10)));
    expect(rightmost).toBe(textWidth(text) - 1);
    expect(textWidth('')).toBe(0);
    expect(dots('é')).toEqual(dots('e'));
    expect(dots('日')).toEqual(dots('语'));
  });
});
