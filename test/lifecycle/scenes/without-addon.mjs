// The package without a native addon: `node without-addon.mjs FOLDER`. Prints what each first use says.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder] = process.argv.slice(2);
const require = createRequire(join(folder, 'app.js'));
const builds = {
  cjs: [require('patchcord'), require('patchcord/testing')],
  esm: await Promise.all(
    ['index', 'testing'].map(
      (name) => import(pathToFileURL(join(folder, `node_modules/patchcord/dist/${name}.mjs`)).href),
    ),
  ),
};

const results = {};
for (const [name, [{ AudioError, ...patchcord }, { SimulatedAudio }]] of Object.entries(builds)) {
  const uses = {
    MicSource: () => new patchcord.MicSource(),
    Mixer: () => new patchcord.Mixer(),
    SpeakerSink: () => new patchcord.SpeakerSink(),
    VirtualMicSink: () => new patchcord.VirtualMicSink(),
    DeviceMonitor: () => new patchcord.DeviceMonitor(),
    listDevices: () => patchcord.listDevices(),
    SimulatedAudio: () => new SimulatedAudio(),
  };
  for (const [use, run] of Object.entries(uses)) {
    try {
      await run();
      results[`${name} ${use}`] = 'no error';
    } catch (error) {
      const { code, message, remedy } = error;
      results[`${name} ${use}`] = { ours: error instanceof AudioError, code, message, remedy };
    }
  }
}
console.log(JSON.stringify(results));
