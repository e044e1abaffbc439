// A separate program, in node.exe, with the built package: its microphone is unplugged while it records.
// Prints the stream's events as JSON and ends when nothing is left to do.
import process from 'node:process';

import { MicSource } from '../../dist/index.mjs';
import { steerMmdevapi } from './mmdevapi-control.mjs';

const windows = await steerMmdevapi();
Object.assign(process.env, windows.env);

const events = [];
const mic = new MicSource({ device: 'Microphone', recover: false });
mic.on('error', ({ code, syscall, osCode, message }) =>
  events.push({ code, syscall, osCode, message }),
);
mic.on('close', async () => {
  events.push('close');
  const engine = await windows.process(process.pid);
  // The objects left by now are the host's, not the stream's.
  const objects = Number(await engine.send('objects'));
  await windows.close();
  console.log(JSON.stringify({ events, frames: mic.position, objects }));
});
mic.once('data', () => windows.send('unplug mic'));
