import { capHeight, drawText, textWidth } from './bitmap-font.mjs';
import { encodePng } from './png.mjs';

/**
 * A position to mark: one frame, or `frames` frames from there on.
 *
 * @typedef {{ frame: number, frames?: number, label?: string }} Mark
 */

const width = 1600;
const margin = { left: 96, right: 128, top: 104, bottom: 64 };
const plotWidth = width - margin.left - margin.right;

// The palette: a few colours for what is drawn, then a scale for the spectrogram, from quiet to loud.
const ink = {
  back: 0,
  panel: 1,
  grid: 2,
  axis: 3,
  dim: 4,
  text: 5,
  wave: 6,
  body: 7,
  mark: 8,
  band: 9,
};
const scaleStart = 16;
const scaleSteps = 240;
const colours = [
  [17, 19, 26], [9, 10, 14], [38, 42, 54], [88, 95, 115], [150, 157, 176], [235, 238, 245],
  [52, 120, 160], [126, 205, 235], [255, 196, 84], [66, 52, 24],
]; // prettier-ignore
const scaleStops = [
  [0, [9, 10, 14]], [0.22, [34, 20, 82]], [0.45, [116, 28, 124]], [0.65, [208, 52, 96]],
  [0.82, [250, 136, 60]], [0.94, [254, 216, 128]], [1, [255, 252, 236]],
]; // prettier-ignore
const quietestDb = -100;

const highestHz = 8000;
const frequencyTicks = [0, 250, 500, 1000, 2000, 4000, 8000];

/**
 * Draws what was recorded: for each channel the waveform (extremes and, brighter, RMS) and the
 * spectrogram from 0 to 8 kHz, over one time axis. The same audio gives the same bytes.
 *
 * @param {object} recording
 * @param {Float32Array[]} recording.channels samples with full scale at -1 and 1, all of one length
 * @param {number} recording.sampleRate frames per second
 * @param {string} [recording.title]
 * @param {Mark[]} [recording.marks]
 * @returns {Buffer} a PNG file
 */
export function drawPicture({ channels, sampleRate, title = '', marks = [] }) {
  const frames = channels[0]?.length ?? 0;
  const sizes = panelSizes(channels.length);
  const panelsHeight = channels.length * (sizes.wave + sizes.gap + sizes.spectrum + sizes.gap);
  const canvas = new Canvas(width, margin.top + panelsHeight - sizes.gap + margin.bottom);
  const seconds = frames / sampleRate;
  const bottom = margin.top + panelsHeight - sizes.gap;

  const count = `${channels.length} channel${channels.length === 1 ? '' : 's'}`;
  const facts = `${count}, ${sampleRate} Hz, ${seconds.toFixed(2)} s`;
  canvas.text(width - margin.right, 24, facts, { align: 1, colour: ink.dim });
  canvas.text(margin.left, 18, shortened(title, (plotWidth - 2 * textWidth(facts) - 32) / 3), {
    size: 3,
  });

  const ticks = timeTicks(seconds);
  const tickX = ticks.map((time) => margin.left + Math.round((time / seconds) * (plotWidth - 1)));
  let top = margin.top;
  channels.forEach((samples, index) => {
    const name = channelName(index, channels.length);
    drawWave(canvas, top, sizes.wave, samples, name, tickX);
    top += sizes.wave + sizes.gap;
    drawSpectrum(canvas, top, sizes.spectrum, samples, sampleRate, tickX);
    top += sizes.spectrum + sizes.gap;
  });
  if (frames > 0) drawMarks(canvas, margin.top, bottom, marks, frames);
  else canvas.text(width / 2, (margin.top + bottom) / 2, 'no audio', { align: 0.5, size: 3 });

  ticks.forEach((time, i) => {
    canvas.rect(tickX[i], bottom, 1, 6, ink.axis);
    canvas.text(tickX[i], bottom + 12, timeLabel(time, ticks[1] ?? 1), { align: 0.5 });
  });
  canvas.text(
    margin.left + plotWidth / 2,
    bottom + 38,
    seconds >= 120 ? 'time, min:s' : 'time, s',
    {
      align: 0.5,
      colour: ink.dim,
    },
  );
  return encodePng(canvas, palette());
}

function panelSizes(channels) {
  if (channels <= 2) return { wave: 130, spectrum: 230, gap: 16 };
  if (channels <= 4) return { wave: 90, spectrum: 150, gap: 14 };
  return { wave: 64, spectrum: 100, gap: 12 };
}

function channelName(index, count) {
  if (count === 1) return 'mono';
  if (count === 2) return index === 0 ? 'left' : 'right';
  return `channel ${index + 1}`;
}

function drawWave(canvas, top, height, samples, name, tickX) {
  canvas.rect(margin.left, top, plotWidth, height, ink.panel);
  for (const x of tickX) canvas.rect(x, top, 1, height, ink.grid);
  let peak = 0;
  let energy = 0;
  for (const value of samples) {
    peak = Math.max(peak, Math.abs(value) || 0);
    energy += value * value || 0;
  }
  // Quiet audio is drawn larger; the axis shows the scale.
  const full =
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1].find((limit) => peak <= limit) ?? Math.ceil(peak);
  const y = (value) => top + ((1 - value / full) / 2) * (height - 1);
  for (const value of [full, full / 2, 0, -full / 2, -full]) {
    const line = Math.round(y(value));
    canvas.rect(margin.left, line, plotWidth, 1, ink.grid);
    if (height < 90 && Math.abs(value) === full / 2) continue;
    canvas.text(margin.left - 12, labelTop(line, top, height), tidy(value), { align: 1 });
  }
  columns(samples, (x, from, to) => {
    let [least, most, sum] = [Infinity, -Infinity, 0];
    // From the frame before, so that the line is not broken where a column holds few frames.
    for (let i = Math.max(0, from - 1); i < to; i++) {
      const value = samples[i] || 0;
      least = Math.min(least, value);
      most = Math.max(most, value);
      sum += value * value;
    }
    const rms = Math.min(Math.sqrt(sum / (to - from)), Math.max(most, 0), Math.max(-least, 0));
    canvas.span(margin.left + x, y(most), y(least), ink.wave);
    if (rms > 0) canvas.span(margin.left + x, y(rms), y(-rms), ink.body);
  });
  const rms = Math.sqrt(energy / Math.max(1, samples.length));
  const right = margin.left + plotWidth + 12;
  canvas.text(right, top, name);
  canvas.text(right, top + 24, `peak ${level(peak)}`, { colour: ink.dim });
  canvas.text(right, top + 44, `rms ${level(rms)}`, { colour: ink.dim });
  if (height >= 90) canvas.text(right, top + 64, 'dBFS', { colour: ink.dim });
}

function drawSpectrum(canvas, top, height, samples, sampleRate, tickX) {
  canvas.rect(margin.left, top, plotWidth, height, ink.panel);
  const topHz = Math.min(highestHz, sampleRate / 2);
  const y = (hz) => top + Math.round((1 - mel(hz) / mel(topHz)) * (height - 1));
  const size = 2 ** Math.round(Math.log2(sampleRate * 0.043));
  const analyse = analyser(size);
  const scale = size / sampleRate;
  // Each row's range of bins, at least as wide as to reach the next row's.
  const bins = Array.from({ length: height + 1 }, (_, row) => {
    return unMel((1 - (row - 0.5) / (height - 1)) * mel(topHz)) * scale;
  });
  columns(samples, (x, from, to) => {
    const power = analyse(samples, from, to);
    for (let row = 0; row < height; row++) {
      const loudest = strongest(power, Math.max(0, bins[row + 1]), Math.max(0, bins[row]));
      const part = Math.min(1, Math.max(0, 1 - (10 * Math.log10(loudest)) / quietestDb));
      canvas.dot(margin.left + x, top + row, scaleStart + Math.round(part * (scaleSteps - 1)));
    }
  });
  for (const x of tickX) canvas.stipple(x, top, 1, height, ink.axis);
  let lastLabel = Infinity;
  for (const hz of frequencyTicks.filter((tick) => tick <= topHz)) {
    canvas.rect(margin.left - 6, y(hz), 6, 1, ink.axis);
    canvas.stipple(margin.left, y(hz), plotWidth, 1, ink.axis);
    const label = labelTop(y(hz), top, height);
    if (lastLabel - label < 16) continue;
    lastLabel = label;
    const text = hz >= 1000 ? `${hz / 1000} kHz` : hz === 0 ? '0 Hz' : String(hz);
    canvas.text(margin.left - 12, label, text, { align: 1 });
  }
  // The colours and what they stand for.
  const left = margin.left + plotWidth + 12;
  for (let row = 0; row < height; row++) {
    const part = 1 - row / (height - 1);
    canvas.rect(left, top + row, 14, 1, scaleStart + Math.round(part * (scaleSteps - 1)));
  }
  for (let db = 0; db >= quietestDb; db -= height < 150 ? 50 : 20) {
    const line = top + Math.round((db / quietestDb) * (height - 1));
    canvas.rect(left + 14, line, 5, 1, ink.axis);
    const text = db === 0 ? '0 dBFS' : String(db);
    canvas.text(left + 24, labelTop(line, top, height), text);
  }
}

function drawMarks(canvas, top, bottom, marks, frames) {
  const x = (frame) => margin.left + Math.round((frame / frames) * (plotWidth - 1));
  const labelEnds = [-Infinity, -Infinity]; // of the last label in each of two rows
  const inOrder = [...marks].sort((a, b) => a.frame - b.frame);
  for (const { frame, frames: length = 0, label = '' } of inOrder) {
    const from = x(frame);
    const to = Math.max(from + 1, x(frame + length));
    canvas.stipple(from, top, to - from, bottom - top, ink.mark);
    canvas.rect(from, top - 10, Math.max(2, to - from), 8, ink.mark);
    // A label that would cover another is left out; its line stays.
    const span = 2 * textWidth(label);
    const left = Math.min(from, width - span - 8);
    const row = labelEnds.findIndex((end) => left > end + 12);
    if (row < 0) continue;
    canvas.text(left, top - 28 - 18 * row, label, { colour: ink.mark });
    labelEnds[row] = left + span;
  }
}

/** Calls back for each column of the plot with the frames that it shows, at least one. */
function columns(samples, draw) {
  if (samples.length === 0) return;
  for (let x = 0; x < plotWidth; x++) {
    const from = Math.floor((x * samples.length) / plotWidth);
    draw(x, from, Math.max(from + 1, Math.floor(((x + 1) * samples.length) / plotWidth)));
  }
}

/** Power per bin over some frames, a full-scale sine being 1: the strongest of up to eight looks. */
function analyser(size) {
  const window = Float64Array.from({ length: size }, (_, i) => {
    return 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / size);
  });
  const real = new Float64Array(size);
  const imaginary = new Float64Array(size);
  const transform = fourier(size);
  return (samples, from, to) => {
    const power = new Float64Array(size / 2 + 1);
    const looks = Math.min(8, Math.max(1, Math.round((to - from) / (size / 2))));
    for (let look = 0; look < looks; look++) {
      const center = from + ((look + 0.5) * (to - from)) / looks;
      // At both ends it stays within the recording, whose edges would look like clicks.
      const start = Math.max(0, Math.min(Math.round(center - size / 2), samples.length - size));
      for (let i = 0; i < size; i++) {
        real[i] = (samples[start + i] || 0) * window[i];
        imaginary[i] = 0;
      }
      transform(real, imaginary);
      for (let bin = 0; bin < power.length; bin++) {
        const one = (real[bin] ** 2 + imaginary[bin] ** 2) * (4 / size) ** 2;
        power[bin] = Math.max(power[bin], one);
      }
    }
    return power;
  };
}

/** The strongest bin of a range, or a value between two bins where the range is narrower. */
function strongest(power, from, to) {
  if (Math.ceil(from) > to) {
    const low = Math.floor(from);
    const part = (from + to) / 2 - low;
    return power[low] * (1 - part) + (power[low + 1] ?? 0) * part;
  }
  let most = 0;
  for (let bin = Math.ceil(from); bin <= to && bin < power.length; bin++) {
    most = Math.max(most, power[bin]);
  }
  return most;
}

/** A Fourier transform in place for one size, a power of two. */
function fourier(size) {
  const cos = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
  const sin = Float64Array.from({ length: size / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / size));
  return (real, imaginary) => {
    for (let i = 1, j = 0; i < size; i++) {
      let bit = size >> 1;
      for (; j & bit; bit >>= 1) j ^= bit;
      j ^= bit;
      if (i < j) {
        [real[i], real[j]] = [real[j], real[i]];
        [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
      }
    }
    for (let half = 1; half < size; half *= 2) {
      const step = size / (2 * half);
      for (let i = 0; i < size; i += 2 * half) {
        for (let k = 0; k < half; k++) {
          const [a, b] = [i + k, i + k + half];
          const re = real[b] * cos[k * step] + imaginary[b] * sin[k * step];
          const im = imaginary[b] * cos[k * step] - real[b] * sin[k * step];
          real[b] = real[a] - re;
          imaginary[b] = imaginary[a] - im;
          real[a] += re;
          imaginary[a] += im;
        }
      }
    }
  };
}

// The mel scale: even below 1 kHz, where voices are, and by ratio above.
const mel = (hz) => Math.log1p(hz / 700);
const unMel = (value) => 700 * Math.expm1(value);

function timeTicks(seconds) {
  if (!(seconds > 0)) return [];
  const steps = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600,
  ];
  const step = steps.find((one) => seconds / one <= 12) ?? 600 * Math.ceil(seconds / 7200);
  return Array.from({ length: Math.floor(seconds / step + 1e-9) + 1 }, (_, i) => i * step);
}

function timeLabel(time, step) {
  if (step >= 30) {
    return `${Math.floor(time / 60)}:${String(Math.round(time % 60)).padStart(2, '0')}`;
  }
  return time.toFixed(Math.max(0, Math.ceil(-Math.log10(step))));
}

/** Beside its line, but not beyond its panel, where it would meet the next panel's label. */
function labelTop(line, top, height) {
  return Math.min(Math.max(line - capHeight, top), top + height - 2 * capHeight);
}

function shortened(text, most) {
  if (textWidth(text) <= most) return text;
  let kept = text;
  while (kept && textWidth(`${kept}...`) > most) kept = kept.slice(0, -1);
  return `${kept.trimEnd()}...`;
}

const tidy = (value) => String(Number(value.toFixed(3)));
const level = (value) => (value > 0 ? (20 * Math.log10(value)).toFixed(1) : '-inf');

function palette() {
  const scale = Array.from({ length: scaleSteps }, (_, step) => {
    const part = step / (scaleSteps - 1);
    const next = Math.max(
      1,
      scaleStops.findIndex(([at]) => part <= at),
    );
    const [[fromAt, from], [toAt, to]] = [scaleStops[next - 1], scaleStops[next]];
    const mix = (part - fromAt) / (toAt - fromAt);
    return from.map((value, i) => Math.round(value + (to[i] - value) * mix));
  });
  const unused = Array.from({ length: scaleStart - colours.length }, () => [0, 0, 0]);
  return [...colours, ...unused, ...scale];
}

/** Palette indices in rows; what is outside is not drawn. */
class Canvas {
  constructor(columns, rows) {
    this.width = columns;
    this.height = rows;
    this.pixels = new Uint8Array(columns * rows);
  }

  dot(x, y, colour) {
    if (x >= 0 && x < this.width && y >= 0 && y < this.height) {
      this.pixels[y * this.width + x] = colour;
    }
  }

  rect(x, y, columns, rows, colour) {
    for (let row = y; row < y + rows; row++) {
      for (let column = x; column < x + columns; column++) this.dot(column, row, colour);
    }
  }

  /** Every fourth pixel, so that what lies under it stays visible. */
  stipple(x, y, columns, rows, colour) {
    for (let row = y; row < y + rows; row++) {
      for (let column = x; column < x + columns; column++) {
        if ((column + row) % 4 === 0) this.dot(column, row, colour);
      }
    }
  }

  /** A vertical line between two heights, at least one pixel. */
  span(x, from, to, colour) {
    const top = Math.round(from);
    this.rect(x, top, 1, Math.max(1, Math.round(to) - top), colour);
  }

  /** `align`: where the text is held, 0 at its left end, 1 at its right. */
  text(x, y, text, { align = 0, size = 2, colour = ink.text } = {}) {
    const left = Math.round(x - align * textWidth(text) * size);
    drawText(text, (column, row) => {
      this.rect(left + column * size, Math.round(y) + row * size, size, size, colour);
    });
  }
}
