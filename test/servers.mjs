// Private audio servers for tests: each in its own runtime folder, with the devices that the tests use, gone when
// stopped or when the process that started it dies. The user's own server is
// never asked nor touched. Also a command: `node test/servers.mjs pulse|plain|pipewire COMMAND...`
// runs the command with such a server.
import { execFile, fork, spawn } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

// Without format, rate and channels a null sink is 16 bit at 44.1 kHz. Without norewinds PulseAudio's
// renders up to two seconds ahead unless a client requests less, and a recording that then begins misses them; no
// sound card does that.
const likeCards = 'format=float32le rate=48000 channels=2 norewinds=1';

// A microphone is what is played into `micfeed`. Browsers list remapped sources, no plain monitors.
const devices = (format) => [
  ...[
    ['speakers', 'Speakers'],
    ['headset', 'Headset'],
    ['micfeed', 'Microphone_Feed'],
  ].map(
    ([name, description]) =>
      `module-null-sink sink_name=${name} ${format} sink_properties=device.description="${description}"`,
  ),
  'module-remap-source source_name=mic master=micfeed.monitor source_properties=device.description="Microphone"',
];

// Modules that desktops load as well: they move streams about and make a sink when there is none. (Before
// PulseAudio 16 module-rescue-streams was one of them; now the server does that by itself.)
const desktopModules = ['module-stream-restore', 'module-always-sink'];

/**
 * @typedef {object} AudioServer
 * @property {Record<string, string>} env Variables by which a program finds this server.
 * @property {number} pid Process group of the server.
 * @property {() => string} log What the server has printed.
 * @property {() => Promise<void>} kill Kills it at once, as a crash would.
 * @property {() => Promise<void>} stop Ends it and removes its folder.
 */

const needed = {
  pulse: ['pulseaudio', 'pactl'],
  pipewire: ['pipewire', 'wireplumber', 'pipewire-pulse', 'dbus-run-session', 'pactl'],
};

/**
 * Why a server cannot be started on this machine, undefined if it can.
 * @param {'pulse' | 'pipewire'} name
 * @returns {string | undefined}
 */
export function whyAbsent(name) {
  const missing = needed[name].filter((command) => !isInPath(command));
  if (missing.length === 0) return undefined;
  return `no ${missing.map((command) => `\`${command}\``).join(', ')} in PATH`;
}

/**
 * PulseAudio with the sinks `speakers` (default), `headset` and `micfeed`, and the source `mic`
 * (default) that hears `micfeed`.
 * @param {{ modules?: string[], format?: string }} [options] More modules to load, with their arguments;
 *   arguments of the null sinks.
 * @returns {Promise<AudioServer>}
 */
export async function startPulseAudio({ modules = [], format = likeCards } = {}) {
  const folder = makeFolder('pulse');
  const script = [
    'module-native-protocol-unix auth-anonymous=1',
    ...devices(format),
    ...modules,
    ...desktopModules,
  ].map((module) => `load-module ${module}\n`);
  // Its threads are real-time, and by default the kernel kills it when one of them runs for 200 ms: a virtual
  // machine that is stopped for a moment is enough.
  const settings = join(folder, '.config/pulse');
  mkdirSync(settings, { recursive: true });
  writeFileSync(join(settings, 'daemon.conf'), 'rlimit-rttime = -1\n');
  const conf = join(folder, 'server.pa');
  writeFileSync(conf, `${script.join('')}set-default-sink speakers\nset-default-source mic\n`);
  const command = ['pulseaudio', '-n', '-F', conf, '--exit-idle-time=-1', '--daemonize=no'];
  return start('PulseAudio', folder, [...command, '--use-pid-file=no', '--log-target=stderr']);
}

/**
 * `startPulseAudio` with null sinks as they are by default: 16 bit at 44.1 kHz, and two seconds ahead while
 * nobody listens.
 * @returns {Promise<AudioServer>}
 */
export function startPlainPulseAudio() {
  return startPulseAudio({ format: '' });
}

/**
 * PipeWire with WirePlumber and pipewire-pulse on their own D-Bus session, and the devices of
 * `startPulseAudio`.
 * @param {{ modules?: string[] }} [options] More modules of pipewire-pulse to load.
 * @returns {Promise<AudioServer>}
 */
export async function startPipeWire({ modules = [] } = {}) {
  const folder = makeFolder('pipewire');
  // WirePlumber gives up without PipeWire's socket; the deadline of start() bounds the loop.
  const script =
    'pipewire & until [ -S "$XDG_RUNTIME_DIR/pipewire-0" ]; do sleep 0.05; done; ' +
    'wireplumber & pipewire-pulse & wait';
  const server = await start('PipeWire', folder, ['dbus-run-session', '--', 'sh', '-c', script]);
  try {
    for (const module of [...devices(likeCards), ...modules]) {
      await pactl(server, 'load-module', ...module.split(/ (?=\w+=)/));
    }
    await until('its devices', server, async () => {
      const sinks = await pactl(server, 'list', 'short', 'sinks');
      const sources = await pactl(server, 'list', 'short', 'sources');
      return /\tspeakers\t/.test(sinks) && /\tmic\t/.test(sources);
    });
    // WirePlumber carries the wish out on its own time. Before it has begun it is "Not supported".
    await until('its default devices', server, async () => {
      await pactl(server, 'set-default-sink', 'speakers');
      await pactl(server, 'set-default-source', 'mic');
      const info = await pactl(server, 'info');
      return /^Default Sink: speakers$/m.test(info) && /^Default Source: mic$/m.test(info);
    });
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

function isInPath(command) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function makeFolder(name) {
  return mkdtempSync(join(tmpdir(), `patchcord-${name}-`));
}

// Starts the command under guard.mjs and waits until pactl gets an answer.
async function start(name, folder, command) {
  const env = {
    XDG_RUNTIME_DIR: folder,
    PULSE_SERVER: `unix:${folder}/pulse/native`,
    PULSE_COOKIE: join(folder, 'cookie'),
  };
  const logFile = join(folder, 'log');
  const output = openSync(logFile, 'w');
  // Their own home folder: the servers keep their state there, and the user's default devices are theirs.
  const serverEnv = { ...process.env, ...env, HOME: folder, LC_ALL: 'C' };
  for (const variable of ['PULSE_SERVER', 'DBUS_SESSION_BUS_ADDRESS', 'DISPLAY']) {
    delete serverEnv[variable];
  }
  for (const kind of ['CONFIG', 'STATE', 'CACHE', 'DATA']) delete serverEnv[`XDG_${kind}_HOME`];

  const guard = fork(fileURLToPath(new URL('guard.mjs', import.meta.url)), [folder, ...command], {
    env: serverEnv,
    execArgv: [],
    stdio: ['ignore', output, output, 'ipc'],
  });
  closeSync(output);
  let ending = false;
  guard.on('message', ({ ended }) => {
    if (ended !== undefined && !ending) console.error(`${name} ended by itself: ${ended}`);
  });
  const exited = new Promise((resolve) => guard.once('exit', resolve));
  const pid = await new Promise((resolve, reject) => {
    guard.once('message', (message) => resolve(message.pid));
    guard.once('exit', (code) =>
      reject(new Error(`${name} did not start (${command[0]}: ${code})`)),
    );
  });
  // A test that forgets to stop its server can still end; the guard notices.
  guard.unref();
  guard.channel?.unref();

  const server = {
    name,
    env,
    pid,
    log: () => readFileSync(logFile, 'utf8'),
    running: () => guard.exitCode === null && guard.signalCode === null,
    kill: async () => {
      ending = true;
      guard.ref();
      process.kill(-pid, 'SIGKILL');
      await exited;
    },
    stop: async () => {
      ending = true;
      guard.ref();
      if (guard.connected) guard.disconnect();
      await exited;
    },
  };
  try {
    await until('an answer', server, async () => (await pactl(server, 'info')) !== '');
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

async function pactl(server, ...args) {
  const env = { ...process.env, ...server.env, LC_ALL: 'C' };
  return (await run('pactl', args, { env, timeout: 5000 })).stdout;
}

// Asks again until the server says so, for 20 s at most.
async function until(what, server, condition) {
  const deadline = process.hrtime.bigint() + 20_000_000_000n;
  let failure;
  while (process.hrtime.bigint() < deadline && server.running()) {
    try {
      if (await condition()) return;
    } catch (error) {
      failure = error;
    }
    await delay(50);
  }
  const log = server.running() ? `\n${server.log()}` : ' (it exited)';
  throw new Error(`${server.name}: waited in vain for ${what}${log}`, { cause: failure });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, command, ...args] = process.argv.slice(2);
  const starters = {
    pulse: startPulseAudio,
    plain: startPlainPulseAudio,
    pipewire: startPipeWire,
  };
  if (!(name in starters) || command === undefined) {
    console.error('usage: node test/servers.mjs pulse|plain|pipewire COMMAND...');
    process.exit(2);
  }
  const server = await starters[name]();
  const child = spawn(command, args, { env: { ...process.env, ...server.env }, stdio: 'inherit' });
  child.on('error', (error) => console.error(`${command}: ${error.message}`));
  child.on('close', async (code) => {
    await server.stop();
    process.exitCode = code ?? 1;
  });
}
