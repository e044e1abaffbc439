// The world outside the program under test: independent players, recorders and devices on a PulseAudio
// server. `createOutside` is that; `serveOutside` lets a program in Wine ask for it over a TCP connection
// (outside-client.mjs), one JSON object a line: { id, command, options } -> { id, result } or { id, error }.
import { execFile, spawn } from 'node:child_process';
import { openSync, closeSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

/** @typedef {ReturnType<typeof createOutside>} Outside */

const execute = promisify(execFile);

const rate = 48000;
const channels = 2;
const bytesPerSecond = rate * channels * 4;
const format = ['--raw', '--format=float32le', `--rate=${rate}`, `--channels=${channels}`];

/** The devices that tests in Wine find beside those of test/servers.mjs: a cable with both its ends. */
export const cableModules = [
  'module-null-sink sink_name=cable format=float32le rate=48000 channels=2 norewinds=1 sink_properties=device.description="CABLE_Input"',
  'module-remap-source source_name=cable_out master=cable.monitor source_properties=device.description="CABLE_Output"',
];

/**
 * @param {{ env: Record<string, string>, folder: string, setDefaultEndpoint?: (value: string, id: string) => Promise<void> }} options
 *   `env`: how to reach the server. `folder`: for tones and recordings. `setDefaultEndpoint`: what
 *   `setDefault` does.
 */
export function createOutside({ env, folder, setDefaultEndpoint }) {
  const environment = { ...process.env, ...env, LC_ALL: 'C' };
  const players = new Map();
  const removed = new Map();
  let count = 0;

  const pactl = async (...args) =>
    (await execute('pactl', args, { env: environment, timeout: 5000 })).stdout;

  async function inputOf(player) {
    const inputs = JSON.parse(await pactl('--format=json', 'list', 'sink-inputs'));
    const name = `outside-${process.pid}-${player}`;
    return inputs.find((one) => one.properties['application.name'] === name);
  }

  return {
    /**
     * Plays a sine until `stop`; resolves when the server has the stream.
     * @param {{ device: string, frequency: number, db?: number }} options A whole number of Hz; peak in dBFS.
     * @returns {Promise<number>} for `stop`, `move`, `identify`
     */
    async play({ device, frequency, db = -12 }) {
      if (!Number.isInteger(frequency))
        throw new RangeError('the tone repeats each second: whole Hz only');
      const player = ++count;
      const name = `outside-${process.pid}-${player}`;
      const file = join(folder, `${name}.f32`);
      writeFileSync(file, secondOfSine(frequency, 10 ** (db / 20)));
      // A shell's loop, so that nothing this process does can starve the tone.
      const script = 'while cat "$0"; do :; done | exec pacat --playback "$@"';
      const options = [
        ...format,
        `--device=${device}`,
        `--client-name=${name}`,
        '--latency-msec=500',
      ];
      const child = spawn('sh', ['-c', script, file, ...options], {
        env: environment,
        detached: true,
        stdio: 'ignore',
      });
      players.set(player, child);
      const playing = async () =>
        (await pactl('list', 'sink-inputs')).includes(`application.name = "${name}"`);
      if (
        !(await within(10_000, () => child.exitCode !== null || playing())) ||
        child.exitCode !== null
      ) {
        await this.stop({ player });
        throw new Error(`nothing can be played on ${device}`);
      }
      return player;
    },

    /**
     * Identifies a player: the name that it gives itself, and the number of the process that started it.
     * @param {{ player: number }} options
     */
    async identify({ player }) {
      return { name: `outside-${process.pid}-${player}`, pid: players.get(player).pid };
    },

    /**
     * Its stream goes to another output; resolves when it is there. PipeWire's session manager may put one that
     * has just begun where its like was before, although it was moved meanwhile: then it is asked again.
     * @param {{ player: number, device: string }} options
     */
    async move({ player, device }) {
      const sinks = JSON.parse(await pactl('--format=json', 'list', 'sinks'));
      const { index } = sinks.find(({ name }) => name === device);
      const isThere = async () => (await inputOf(player)).sink === index;
      for (let attempt = 0; attempt < 10; attempt++) {
        await pactl('move-sink-input', String((await inputOf(player)).index), device);
        if (await within(1000, isThere)) return;
      }
      throw new Error(`${device}: its stream does not stay there`);
    },

    /** As in a volume control. @param {{ player: number, muted: boolean }} options */
    async mutePlayer({ player, muted }) {
      const { index } = await inputOf(player);
      await pactl('set-sink-input-mute', String(index), muted ? '1' : '0');
    },

    /** @param {{ player: number }} options */
    async stop({ player }) {
      const child = players.get(player);
      if (!child) throw new Error(`no player ${player}`);
      players.delete(player);
      await endGroup(child);
    },

    /**
     * Records the next seconds of a source (`cable_out`, or a sink's monitor: `speakers.monitor`).
     * @param {{ source: string, seconds: number }} options
     * @returns {Promise<{ file: string, sampleRate: number, channels: number }>} 32-bit floats
     */
    async record({ source, seconds }) {
      const file = join(folder, `recording-${++count}.f32`);
      const output = openSync(file, 'w');
      // head ends the recording exactly; the recorder then ends of a broken pipe.
      const script = 'parec "$@" | head -c "$0"';
      const bytes = Math.round(seconds * rate) * channels * 4;
      const options = [...format, `--device=${source}`, '--latency-msec=100'];
      const child = spawn('sh', ['-c', script, String(bytes), ...options], {
        env: environment,
        detached: true,
        stdio: ['ignore', output, 'ignore'],
      });
      closeSync(output);
      const limit = setTimeout(() => endGroup(child), seconds * 2000 + 10_000);
      players.set(count, child);
      const key = count;
      await new Promise((resolve) => child.once('close', resolve));
      clearTimeout(limit);
      players.delete(key);
      return { file, sampleRate: rate, channels };
    },

    /** Takes a source or sink away, as unplugging does. @param {{ name: string }} options */
    async removeDevice({ name }) {
      for (const line of (await pactl('list', 'short', 'modules')).split('\n')) {
        const [index, module, args = ''] = line.split('\t');
        if (!new RegExp(`\\b(source|sink)_name=${name}\\b`).test(args)) continue;
        removed.set(name, `${module} ${args}`);
        await pactl('unload-module', index);
        return;
      }
      throw new Error(`no device ${name}`);
    },

    /** Brings back what `removeDevice` took. @param {{ name: string }} options */
    async restoreDevice({ name }) {
      const module = removed.get(name);
      if (!module) throw new Error(`${name} was not removed`);
      removed.delete(name);
      await pactl('load-module', ...module.trim().split(/ (?=\w+=)/));
    },

    /** Mutes a source, or unmutes it. @param {{ source: string, muted: boolean }} options */
    async mute({ source, muted }) {
      await pactl('set-source-mute', source, muted ? '1' : '0');
    },

    /**
     * Makes an endpoint the system's default.
     * @param {{ flow: 'input' | 'output', role?: 'console' | 'communications', id: string }} options
     *   `id`: the endpoint's, as the program under test lists it.
     */
    async setDefault({ flow, role = 'console', id }) {
      const names = { input: 'Input', output: 'Output' };
      const value = `Default${role === 'communications' ? 'Voice' : ''}${names[flow]}`;
      if (!setDefaultEndpoint) throw new Error('defaults cannot be set here');
      await setDefaultEndpoint(value, id);
    },

    /** Ends all players and recorders. */
    async close() {
      await Promise.all([...players.values()].map(endGroup));
      players.clear();
    },
  };
}

/**
 * Listens on the loopback interface, on a free port.
 * @returns {Promise<{ address: string, close: () => Promise<void> }>} `address` for PATCHCORD_OUTSIDE
 */
export async function serveOutside(outside) {
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    createInterface({ input: socket }).on('line', async (line) => {
      const { id, command, options } = JSON.parse(line);
      try {
        if (!Object.hasOwn(outside, command)) throw new Error(`no command ${command}`);
        reply({ id, result: await outside[command](options) });
      } catch (error) {
        reply({ id, error: error.message });
      }
    });
    const reply = (answer) => {
      if (!socket.destroyed) socket.write(`${JSON.stringify(answer)}\n`);
    };
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { address: `127.0.0.1:${server.address().port}`, close };
}

// Whole cycles, so that it can follow itself.
function secondOfSine(frequency, amplitude) {
  const samples = new Float32Array(bytesPerSecond / 4);
  for (let frame = 0; frame < rate; frame++) {
    const value = amplitude * Math.sin((2 * Math.PI * frequency * frame) / rate);
    for (let channel = 0; channel < channels; channel++)
      samples[frame * channels + channel] = value;
  }
  return Buffer.from(samples.buffer);
}

async function endGroup(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  process.kill(-child.pid, 'SIGKILL');
  await exited;
}

async function within(ms, condition) {
  const deadline = process.hrtime.bigint() + BigInt(ms) * 1_000_000n;
  while (process.hrtime.bigint() < deadline) {
    if (await condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}
