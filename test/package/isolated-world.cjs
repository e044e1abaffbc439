// A simulation in which the microphone hears a tone only in the child of a source with isolation 'process'.
const process = require('node:process');

// Beside a bundle there is no package.
const { SimulatedAudio, tone } = require(process.env.TESTING ?? 'patchcord/testing');

const audio = new SimulatedAudio();
const isChild = process.argv.some((argument) => argument.includes('isolated-child'));
if (isChild) audio.device('mic').play(tone(1000));

module.exports = audio;
