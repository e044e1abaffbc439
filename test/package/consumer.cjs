// Run inside the folder where the package was installed.
const { AudioError, listDevices } = require('patchcord');
const { SimulatedAudio } = require('patchcord/testing');

require('./report.cjs')({ AudioError, listDevices, SimulatedAudio }, () => import('patchcord'));
