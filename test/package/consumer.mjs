// Run inside the folder where the package was installed.
import { createRequire } from 'node:module';

import { AudioError, listDevices } from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

const require = createRequire(import.meta.url);
require('./report.cjs')({ AudioError, listDevices, SimulatedAudio }, () => require('patchcord'));
