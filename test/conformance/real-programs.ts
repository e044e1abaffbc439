// Programs that people record with, each given a microphone by name or id as a user would.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Microphone {
  id: string;
  name: string;
}

/** The recorded left channel, at 48 kHz, and other details that the program reports about the microphone. */
export interface Recorded {
  samples: Float32Array;
  listed?: string[];
}

export interface Program {
  name: string;
  record(microphone: Microphone, seconds: number): Promise<Recorded>;
}

const rate = 48000;

/** The programs that this machine has. @param absent is called for the others */
export function realPrograms(absent: (what: string) => void): Program[] {
  const all: [string, string, Program['record']][] = [
    ['parec', 'pulseaudio-utils', withParec],
    ['ffmpeg', 'ffmpeg', withFfmpeg],
    ['sox', 'sox libsox-fmt-pulse', withSox],
    ['chromium', 'chromium', withChromium],
  ];
  return all.flatMap(([name, debian, record]) => {
    const there =
      name === 'sox'
        ? /DRIVERS:.*pulseaudio/.test(String(spawnSync('sox', ['--help']).stdout))
        : !spawnSync(name, ['--version']).error;
    if (!there) absent(`absent: ${name} (Debian: ${debian}): it was not asked to record`);
    return there ? [{ name, record }] : [];
  });
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-program-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

// Both channels, as the microphone has them: the server would choose how to fold them into one.
function left(bytes: Buffer): Float32Array {
  return floats(bytes).filter((_, index) => index % 2 === 0);
}

function floats(bytes: Buffer): Float32Array {
  const length = Math.floor(bytes.length / 4);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 4 * length));
}

async function withParec({ id }: Microphone, seconds: number): Promise<Recorded> {
  return inFolder(async (folder) => {
    const file = join(folder, 'raw');
    const bytes = seconds * rate * 8;
    const command = `parec --device="$0" --raw --format=float32le --rate=${rate} --channels=2 --latency-msec=100 | head -c ${bytes} > "$1"`;
    await run('sh', ['-c', command, id, file], { timeout: 20_000 + seconds * 1000 });
    return { samples: left(readFileSync(file)) };
  });
}

async function withFfmpeg({ id }: Microphone, seconds: number): Promise<Recorded> {
  return inFolder(async (folder) => {
    const file = join(folder, 'raw');
    const input = ['-f', 'pulse', '-sample_rate', String(rate), '-channels', '2', '-i', id];
    const output = ['-t', String(seconds), '-f', 'f32le', file];
    await run('ffmpeg', ['-hide_banner', '-loglevel', 'error', ...input, ...output], {
      timeout: 20_000 + seconds * 1000,
    });
    return { samples: left(readFileSync(file)) };
  });
}

async function withSox({ id }: Microphone, seconds: number): Promise<Recorded> {
  return inFolder(async (folder) => {
    const file = join(folder, 'raw.f32');
    const input = ['-q', '-t', 'pulseaudio', '-r', String(rate), '-c', '2', id];
    await run('sox', [...input, file, 'trim', '0', String(seconds)], {
      timeout: 20_000 + seconds * 1000,
    });
    return { samples: left(readFileSync(file)) };
  });
}

// The page asks for the microphone whose label it is given, as a meeting's page would after the user's
// choice, with all of the browser's own processing off, and posts back what it heard.
const page = `<!doctype html><script type="module">
const { name, seconds } = await (await fetch('/task')).json();
const post = (path, body) => fetch(path, { method: 'POST', body });
try {
  await navigator.mediaDevices.getUserMedia({ audio: true }); // labels are told only after it
  const inputs = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === 'audioinput');
  await post('/listed', JSON.stringify(inputs.map(({ label }) => label)));
  const { deviceId } = inputs.find(({ label }) => label === name);
  const off = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { deviceId: { exact: deviceId }, ...off } });
  const context = new AudioContext({ sampleRate: ${rate} });
  const worklet = "registerProcessor('ear', class extends AudioWorkletProcessor { process([[heard]]) { if (heard) this.port.postMessage(heard.slice()); return true; } })";
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([worklet], { type: 'text/javascript' })));
  const ear = new AudioWorkletNode(context, 'ear');
  const chunks = [];
  let frames = 0;
  ear.port.onmessage = ({ data }) => {
    if (frames >= seconds * ${rate}) return;
    chunks.push(data);
    frames += data.length;
    if (frames >= seconds * ${rate}) post('/heard', new Blob(chunks));
  };
  context.createMediaStreamSource(stream).connect(ear).connect(context.destination);
} catch (error) { post('/failed', String(error)); }
</script>`;

async function withChromium({ name }: Microphone, seconds: number): Promise<Recorded> {
  return inFolder(async (folder) => {
    let listed: string[] = [];
    let settle: { resolve: (samples: Float32Array) => void; reject: (error: Error) => void };
    const heard = new Promise<Float32Array>((resolve, reject) => (settle = { resolve, reject }));
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const body = Buffer.concat(parts);
        if (request.url === '/task') response.end(JSON.stringify({ name, seconds }));
        else if (request.url === '/') response.setHeader('content-type', 'text/html').end(page);
        else response.end();
        if (request.url === '/listed') listed = JSON.parse(String(body));
        if (request.url === '/heard') settle.resolve(floats(body));
        if (request.url === '/failed')
          settle.reject(new Error(`${String(body)} among ${listed.join(', ')}`));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const browser = spawn(
      'chromium',
      [
        '--headless=new',
        '--no-sandbox', // tests run as root in containers
        '--no-first-run',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--use-fake-ui-for-media-stream', // says yes to the permission; the devices are real
        '--autoplay-policy=no-user-gesture-required',
        `--user-data-dir=${folder}`,
        `http://127.0.0.1:${port}/`,
      ],
      {
        stdio: ['ignore', 'ignore', 'ignore'],
        detached: true,
        env: { ...process.env, HOME: folder },
      },
    );
    const exited = new Promise((resolve) => browser.once('exit', resolve));
    const limit = setTimeout(
      () => settle.reject(new Error(`chromium did not answer; it listed: ${listed.join(', ')}`)),
      30_000 + seconds * 1000,
    );
    try {
      return { samples: await heard, listed };
    } finally {
      clearTimeout(limit);
      process.kill(-(browser.pid as number), 'SIGKILL');
      await exited;
      server.closeAllConnections();
      server.close();
    }
  });
}
