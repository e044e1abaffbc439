// The measuring tools of all tests: sound is judged by what is in it.
export { distortionDb, echoRoom, powerDb, syllables, type EchoRoom } from './echo-room.js';
export { findDelay, type Delay } from './find-delay.js';
export { findGaps, type FindGapsOptions, type Gap } from './find-gaps.js';
export { measureTone, type Tone } from './measure-tone.js';
export { randomPortions, seededRandom } from './random.js';
export { fft, spectrum, type Spectrum } from './spectrum.js';
export { toFloat } from './to-float.js';
