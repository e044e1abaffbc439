// Runs in the page's audio thread: plays what arrives, and collects what the page's microphone hears.

const chunkFrames = 480;

class Player extends AudioWorkletProcessor {
  #queue = [];
  #queued = 0;
  #at = 0;
  #plays = false;

  constructor({ processorOptions: { latencyFrames } }) {
    super();
    this.port.onmessage = ({ data }) => {
      this.#queue.push(data);
      this.#queued += data.length;
      // The page's clock is slower, or the page stood still.
      while (this.#queued > 4 * latencyFrames) this.#drop();
      if (this.#queued >= latencyFrames) this.#plays = true;
    };
  }

  #drop() {
    this.#queued -= this.#queue.shift().length - this.#at;
    this.#at = 0;
  }

  process(_inputs, [[channel]]) {
    if (!this.#plays) return true;
    for (let i = 0; i < channel.length; i++) {
      if (this.#queue.length === 0) {
        this.#plays = false;
        return true;
      }
      channel[i] = this.#queue[0][this.#at++];
      this.#queued--;
      if (this.#at === this.#queue[0].length) this.#drop();
    }
    return true;
  }
}

class Microphone extends AudioWorkletProcessor {
  #chunk = new Float32Array(chunkFrames);
  #filled = 0;

  process([[channel]]) {
    for (const sample of channel ?? []) {
      this.#chunk[this.#filled++] = sample;
      if (this.#filled < chunkFrames) continue;
      this.port.postMessage(this.#chunk);
      this.#filled = 0;
    }
    return true;
  }
}

registerProcessor('player', Player);
registerProcessor('microphone', Microphone);
