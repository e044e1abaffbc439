// A simulation in which the microphone dies in a process that is not the child of a source with isolation 'process'.
const { noise, SimulatedAudio, tone } = require('patchcord/testing');

const audio = new SimulatedAudio();
const isChild = /isolated-child/.test(process.argv[1]);
audio.device('mic').play(tone(500));
audio.device('speakers').play(noise({ seed: 3 }));
if (!isChild) setTimeout(() => audio.device('mic').die(), 1500).unref();

module.exports = audio;
