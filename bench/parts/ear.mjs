// Measures the tone of a stream, and the tones of other streams in it.
const rate = 48000;

/** Measures one stream of stereo f32: the levels of the tones, and the silences within its own tone. */
export class Ear {
  constructor(own, tones) {
    Object.assign(this, {
      own,
      others: tones.filter((one) => one !== own),
      frames: 0,
      silences: [],
    });
    Object.assign(this, { least: Infinity, most: -Infinity, loudestOther: -Infinity, zeros: 0 });
    this.window = new Float32Array(4800);
    this.rest = Buffer.alloc(0);
    this.begun = false;
  }

  hear(bytes) {
    const all = this.rest.length > 0 ? Buffer.concat([this.rest, bytes]) : bytes;
    const whole = all.length - (all.length % 8);
    this.rest = all.subarray(whole);
    for (let at = 0; at < whole; at += 8) {
      const sample = all.readFloatLE(at);
      this.window[this.frames % 4800] = sample;
      this.frames++;
      if (Math.abs(sample) < 1e-4) this.zeros++;
      else {
        if (this.zeros > 96 && this.begun)
          this.silences.push([this.frames - this.zeros, this.zeros]);
        this.zeros = 0;
        this.begun = true;
      }
      // A window of 100 ms in each second.
      if (this.frames % rate === 0 && this.frames > 2 * rate) this.#measure();
    }
  }

  #measure() {
    const level = levelOf(this.window, this.own);
    this.least = Math.min(this.least, level);
    this.most = Math.max(this.most, level);
    for (const other of this.others) {
      this.loudestOther = Math.max(this.loudestOther, levelOf(this.window, other));
    }
  }
}

function levelOf(sound, frequency) {
  let [re, im, sum] = [0, 0, 0];
  for (let i = 0; i < sound.length; i++) {
    const turn = (2 * Math.PI * i) / sound.length;
    const weight = 0.42 - 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn);
    const angle = (2 * Math.PI * frequency * i) / rate;
    re += weight * sound[i] * Math.cos(angle);
    im += weight * sound[i] * Math.sin(angle);
    sum += weight;
  }
  return 20 * Math.log10((2 * Math.hypot(re, im)) / sum);
}
