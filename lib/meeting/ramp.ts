/** A gain that changes without a click. */
export class Ramp {
  #value: number;
  #target: number;
  #step = 0;

  constructor(value: number) {
    this.#value = this.#target = value;
  }

  /** Reaches `target` after so many frames. */
  to(target: number, frames: number): void {
    this.#target = target;
    this.#step = (target - this.#value) / frames;
    if (frames < 1) this.#value = target;
  }

  /** Applies the gain to the next frames; interleaved. */
  apply(samples: Float32Array, channels: number): void {
    const frames = samples.length / channels;
    for (let i = 0; i < frames; i++) {
      if (this.#value === this.#target) {
        if (this.#value !== 1) scale(samples, i * channels, this.#value);
        return;
      }
      this.#advance();
      for (let c = 0; c < channels; c++) samples[i * channels + c] *= this.#value;
    }
  }

  #advance(): void {
    const left = Math.abs(this.#target - this.#value);
    this.#value = left <= Math.abs(this.#step) ? this.#target : this.#value + this.#step;
  }
}

function scale(samples: Float32Array, from: number, gain: number): void {
  for (let i = from; i < samples.length; i++) samples[i] *= gain;
}
