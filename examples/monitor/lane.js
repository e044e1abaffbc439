// One side of the meeting: what has been heard, and its pictures.
import { rowOf, rows, Spectrum } from './spectrum.js';

const columnMs = 20;
const kept = 3 * 60 * 50; // columns: three minutes

/** Colours from silence to loud, for each theme. */
const scales = {
  dark: ['#0b0e14', '#16213d', '#274b7a', '#1f8a8c', '#5ec27a', '#f2d16b', '#fff6e0'],
  light: ['#ffffff', '#dfe9f5', '#a9c8e8', '#5a9bd0', '#3a62b0', '#5a2a83', '#2a0a36'],
};

const paletteOf = (theme) =>
  Uint8ClampedArray.from({ length: 256 * 3 }, (_, i) => {
    const colours = scales[theme];
    const at = (Math.floor(i / 3) / 255) * (colours.length - 1);
    const low = Math.min(colours.length - 2, Math.floor(at));
    const part = (k) => parseInt(colours[k].slice(1 + 2 * (i % 3), 3 + 2 * (i % 3)), 16);
    return part(low) + (at - low) * (part(low + 1) - part(low));
  });

export class Lane {
  /** The frame after the newest one. */
  end = 0;
  /** The newest samples that are not a whole column yet. */
  #rest = [];
  #restFrame = 0;
  #columnFrames;
  #spectrum;
  // By column, round and round.
  #least = new Float32Array(kept);
  #most = new Float32Array(kept);
  #known = new Float64Array(kept).fill(-1);
  #levels = new Uint8ClampedArray(kept * rows);
  #strip = Object.assign(document.createElement('canvas'), { width: kept, height: rows });
  #palette;
  #theme;
  #peak = 0;
  #square = 0;
  #hold = -Infinity;

  constructor(sampleRate) {
    this.#columnFrames = (sampleRate * columnMs) / 1000;
    this.#spectrum = new Spectrum(sampleRate);
  }

  add(frame, samples) {
    if (frame !== this.end) this.#rest = []; // the connection was too slow
    if (this.#rest.length === 0) this.#restFrame = frame;
    this.end = frame + samples.length;
    let square = 0;
    let peak = 0;
    for (const sample of samples) {
      square += sample * sample;
      peak = Math.max(peak, Math.abs(sample));
    }
    this.#peak = Math.max(peak, this.#peak * 0.8);
    this.#square += 0.3 * (square / samples.length - this.#square);
    this.#hold = Math.max(20 * Math.log10(peak), this.#hold - 0.3);
    // Columns begin at multiples of their length, so that those of both sides stand below each other.
    const all = [...this.#rest, ...samples];
    let at = (this.#columnFrames - (this.#restFrame % this.#columnFrames)) % this.#columnFrames;
    for (; at + this.#columnFrames <= all.length; at += this.#columnFrames) {
      this.#column(
        (this.#restFrame + at) / this.#columnFrames,
        all.slice(at, at + this.#columnFrames),
      );
    }
    this.#rest = all.slice(at);
    this.#restFrame += at;
  }

  #column(index, samples) {
    const at = index % kept;
    this.#known[at] = index;
    this.#least[at] = Math.min(...samples);
    this.#most[at] = Math.max(...samples);
    this.#levels.set(this.#spectrum.next(samples), at * rows);
    if (this.#palette) this.#paint(at);
  }

  #paint(column) {
    const context = this.#strip.getContext('2d');
    const image = context.createImageData(1, rows);
    for (let row = 0; row < rows; row++) {
      const colour = 3 * this.#levels[column * rows + row];
      const to = 4 * (rows - 1 - row);
      for (let part = 0; part < 3; part++) image.data[to + part] = this.#palette[colour + part];
      image.data[to + 3] = 255;
    }
    context.putImageData(image, column, 0);
  }

  /** Levels in dBFS. */
  get levels() {
    const db = (value) => 20 * Math.log10(value);
    return { peak: db(this.#peak), rms: db(Math.sqrt(this.#square)), hold: this.#hold };
  }

  theme(name) {
    if (this.#theme === name) return;
    this.#theme = name;
    this.#palette = paletteOf(name);
    for (let column = 0; column < kept; column++) if (this.#known[column] >= 0) this.#paint(column);
  }

  /** Draws the time from a frame on. */
  drawWave(canvas, { from, framesPerPixel, colour, grid }) {
    const context = canvas.getContext('2d');
    const { width, height } = canvas;
    context.clearRect(0, 0, width, height);
    const middle = height / 2;
    context.fillStyle = grid;
    context.fillRect(0, Math.floor(middle), width, 1);
    context.fillStyle = colour;
    // Quiet speech is seen, and loud speech stays within the picture.
    const scaled = (sample) => Math.sign(sample) * Math.sqrt(Math.abs(sample)) * (middle - 2);
    for (let x = 0; x < width; x++) {
      const first = Math.floor((from + x * framesPerPixel) / this.#columnFrames);
      const last = Math.max(
        first,
        Math.floor((from + (x + 1) * framesPerPixel) / this.#columnFrames - 1e-6),
      );
      let [least, most] = [0, 0];
      for (let column = Math.max(0, first); column <= last; column++) {
        if (this.#known[column % kept] !== column) continue;
        least = Math.min(least, this.#least[column % kept]);
        most = Math.max(most, this.#most[column % kept]);
      }
      if (least === most) continue;
      const top = middle - scaled(most);
      context.fillRect(x, top, 1, Math.max(1, middle - scaled(least) - top));
    }
  }

  drawSpectrum(canvas, { from, framesPerPixel, text, background }) {
    const context = canvas.getContext('2d');
    const { width, height } = canvas;
    context.fillStyle = background;
    context.fillRect(0, 0, width, height);
    context.imageSmoothingEnabled = true;
    const perPixel = framesPerPixel / this.#columnFrames;
    const first = from / this.#columnFrames;
    const newest = Math.floor(this.end / this.#columnFrames);
    const begin = Math.max(first, 0, newest - kept + 1);
    const end = Math.min(first + width * perPixel, newest);
    // A part ends where the strip does.
    for (let at = begin; at < end;) {
      const inStrip = at % kept;
      const columns = Math.min(end - at, kept - inStrip);
      const x = (at - first) / perPixel;
      context.drawImage(this.#strip, inStrip, 0, columns, rows, x, 0, columns / perPixel, height);
      at += columns;
    }
    const scale = height / rows;
    context.font = `${Math.round(10 * devicePixelRatio)}px system-ui, sans-serif`;
    context.textBaseline = 'middle';
    for (const pitch of [100, 300, 1000, 3000, 10_000]) {
      const y = height - (rowOf(pitch) + 0.5) * scale;
      context.fillStyle = text;
      context.globalAlpha = 1;
      context.strokeStyle = background;
      context.lineWidth = 3 * devicePixelRatio;
      context.strokeText(pitch < 1000 ? `${pitch}` : `${pitch / 1000}k`, 4 * devicePixelRatio, y);
      context.fillText(pitch < 1000 ? `${pitch}` : `${pitch / 1000}k`, 4 * devicePixelRatio, y);
      context.globalAlpha = 0.12;
      context.fillRect(0, Math.round(y), width, 1);
      context.globalAlpha = 1;
    }
  }
}
