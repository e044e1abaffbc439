// A world that is moved on TIMES times: `node advances.mjs TIMES`.
import process from 'node:process';

import { SimulatedAudio } from 'patchcord/testing';

const times = Number(process.argv[2]);
const audio = new SimulatedAudio({ clock: 'manual' });
for (let i = 0; i < times; i++) await audio.advance(1);
console.log(times);
