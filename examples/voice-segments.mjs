// Finds the parts of a stream in which somebody speaks: 16 kHz mono s16, in chunks of 10, 20 or 30 ms with their times.
import VADBuilder, { VADEvent, VADMode } from '@ozymandiasthegreat/vad';

const sampleRate = 16000;
/** Speech begins when most of the chunks of this time are voice, and ends after a pause of the other time. */
const beginMs = 80;
const pauseMs = 350;
/** The detector reports voice for about so long after it has ended. */
const lateMs = 100;

/** Detects where speech begins and ends. It runs offline: the library is WebRTC's detector, compiled to WebAssembly. */
export class VoiceSegments {
  #detector;
  #recent = []; // { voice, time, endTime } of the last chunks
  #begun; // when the present segment began
  #last; // when the last voice in it ended

  static async create() {
    const Detector = await VADBuilder();
    return new VoiceSegments(new Detector(VADMode.VERY_AGGRESSIVE, sampleRate));
  }

  constructor(detector) {
    this.#detector = detector;
  }

  /** Takes the next chunk of `meeting.mix.chunks()`. Returns a segment if one has ended, with times in ns. */
  next({ data, time, frames }) {
    const samples = new Int16Array(data.buffer, data.byteOffset, frames);
    const endTime = time + BigInt(Math.round((frames * 1e9) / sampleRate));
    const voice = frames % 160 === 0 && this.#detector.processFrame(samples) === VADEvent.VOICE;
    this.#recent.push({ voice, time, endTime });
    while (endTime - this.#recent[0].time > BigInt(beginMs) * 1_000_000n) this.#recent.shift();
    if (voice) this.#last = endTime;
    if (this.#begun === undefined) {
      const voices = this.#recent.filter((one) => one.voice);
      if (voices.length * 1.5 >= this.#recent.length && this.#recent.length > 2)
        this.#begun = voices[0].time;
    } else if (endTime - this.#last > BigInt(pauseMs) * 1_000_000n) {
      return this.end();
    }
    return undefined;
  }

  /** Ends the present segment, if there is one. */
  end() {
    if (this.#begun === undefined) return undefined;
    const segment = { start: this.#begun, end: this.#last - BigInt(lateMs) * 1_000_000n };
    this.#begun = undefined;
    this.#recent = [];
    return segment;
  }
}
