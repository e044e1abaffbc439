// The spectrum of a piece of sound, as levels on a scale of pitches.

const size = 2048;
const lowest = 60;
const highest = 16_000;
export const rows = 144;

/** The pitch of a row, Hz; row 0 is the lowest. */
export const pitchOf = (row) => lowest * (highest / lowest) ** (row / (rows - 1));
export const rowOf = (pitch) =>
  ((rows - 1) * Math.log(pitch / lowest)) / Math.log(highest / lowest);

export class Spectrum {
  #window = Float32Array.from(
    { length: size },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size),
  );
  #cos = Float32Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
  #sin = Float32Array.from({ length: size / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / size));
  #re = new Float32Array(size);
  #im = new Float32Array(size);
  #past = new Float32Array(size);
  #bins;

  constructor(sampleRate) {
    const binOf = (pitch) => (pitch * size) / sampleRate;
    this.#bins = Array.from({ length: rows }, (_, row) => [
      binOf(pitchOf(row - 0.5)),
      binOf(pitchOf(row + 0.5)),
    ]);
  }

  /** Takes the next samples. Returns for each row 0 to 255, which stand for -105 to -25 dBFS. */
  next(samples) {
    this.#past.copyWithin(0, samples.length);
    this.#past.set(samples, size - samples.length);
    for (let i = 0; i < size; i++) this.#re[i] = this.#past[i] * this.#window[i];
    this.#im.fill(0);
    this.#transform();
    return Uint8ClampedArray.from(this.#bins, ([from, to]) => {
      const power = to - from < 1 ? this.#between((from + to) / 2) : this.#most(from, to);
      return ((10 * Math.log10(power + 1e-20) + 105) / 80) * 255;
    });
  }

  #power(bin) {
    return (this.#re[bin] ** 2 + this.#im[bin] ** 2) * (4 / size) ** 2;
  }

  #between(bin) {
    const low = Math.floor(bin);
    return this.#power(low) + (bin - low) * (this.#power(low + 1) - this.#power(low));
  }

  #most(from, to) {
    let most = 0;
    for (let bin = Math.ceil(from); bin <= to; bin++) most = Math.max(most, this.#power(bin));
    return most;
  }

  // A Fourier transform in place, with factors of two.
  #transform() {
    const re = this.#re;
    const im = this.#im;
    for (let i = 1, j = 0; i < size; i++) {
      let bit = size >> 1;
      for (; j & bit; bit >>= 1) j ^= bit;
      j ^= bit;
      if (i < j) [re[i], re[j]] = [re[j], re[i]];
    }
    for (let half = 1; half < size; half *= 2) {
      const step = size / (2 * half);
      for (let start = 0; start < size; start += 2 * half) {
        for (let k = 0; k < half; k++) {
          const a = start + k;
          const b = a + half;
          const turnedRe = re[b] * this.#cos[k * step] - im[b] * this.#sin[k * step];
          const turnedIm = re[b] * this.#sin[k * step] + im[b] * this.#cos[k * step];
          re[b] = re[a] - turnedRe;
          im[b] = im[a] - turnedIm;
          re[a] += turnedRe;
          im[a] += turnedIm;
        }
      }
    }
  }
}
