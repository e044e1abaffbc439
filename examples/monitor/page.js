// Shows what monitor.mjs sends, plays it, and sends what the page's microphone hears.
import { Lane } from './lane.js';

const $ = (id) => document.getElementById(id);
const names = { mic: 'You', system: 'Others' };
const laneColours = { mic: '--mic', system: '--system' };
const markColours = {
  gap: '--bad',
  state: '--muted',
  strategy: '--warn',
  device: '--accent',
  pause: '--accent',
};
const zooms = [5, 10, 20, 30, 60, 120]; // seconds that are seen

let rate = 48000;
const lanes = new Map(); // by name: { lane, view }
const marks = [];
let stats;
let newest = { frame: 0, at: performance.now() };
let seconds = 20;
let lookedBack = 0; // seconds
let listens = 'off';
let socket;

connect();
chooseTheme(localStorage.getItem('theme'));
requestAnimationFrame(draw);

function connect() {
  const key = document.querySelector('meta[name=key]').content;
  socket = new WebSocket(`ws://${location.host}/live`, key);
  socket.binaryType = 'arraybuffer';
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') receivers[JSON.parse(data).type]?.(JSON.parse(data));
    else hear(data);
  };
  socket.onopen = () => status('recording');
  socket.onclose = () => status('the meeting has ended', 'ended');
}

const receivers = {
  hello({ sampleRate, lanes: list }) {
    rate = sampleRate;
    for (const name of list) addLane(name);
  },
  mark(mark) {
    marks.push(mark);
    if (marks.length > 500) marks.shift();
    logMark(mark);
  },
  stats(message) {
    stats = message;
    for (const [i, { view, name }] of [...lanes.values()].entries())
      showFacts(view, stats.sides[i], name);
    press('mode', stats.mode);
    $('pause').setAttribute('aria-pressed', stats.paused);
    $('pause').textContent = stats.paused ? 'Resume' : 'Pause';
    if (socket.readyState === WebSocket.OPEN) {
      if (stats.paused) status('paused', 'paused');
      else status(stats.microphone && speech ? `speaking into “${stats.microphone}”` : 'recording');
    }
  },
  refused: ({ text }) => status(text, 'ended'),
  'speech-failed'({ text }) {
    stopSpeaking();
    status(text, 'ended');
  },
};

function command(name, value) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ command: name, value }));
}

function hear(data) {
  const head = new DataView(data);
  const entry = [...lanes.values()][head.getUint8(0)];
  const frame = head.getFloat64(8, true);
  const samples = Float32Array.from(new Int16Array(data, 16), (sample) => sample / 32768);
  entry.lane.add(frame, samples);
  if (entry.lane.end > newest.frame) newest = { frame: entry.lane.end, at: performance.now() };
  if (player && (listens === entry.name || listens === 'mix')) player.play(entry.name, samples);
}

// --- Pictures ---

function addLane(name) {
  const fragment = $('lane').content.cloneNode(true);
  const find = (part) => fragment.querySelector(`.${part}`);
  const parts = [
    'lane',
    'device',
    'state',
    'meter',
    'rms',
    'hold',
    'peak',
    'drift',
    'lag',
    'lost',
    'ladder',
    'wave',
    'spectrum',
  ];
  const view = Object.fromEntries(parts.map((part) => [part, find(part)]));
  fragment.querySelector('h2').textContent = names[name];
  view.lane.dataset.name = name;
  view.meter.setAttribute('aria-label', `Level of ${names[name]}`);
  view.wave.setAttribute('aria-label', `Waveform of ${names[name]}`);
  view.spectrum.setAttribute('aria-label', `Spectrogram of ${names[name]}`);
  $('lanes').append(fragment);
  const lane = new Lane(rate);
  lane.theme(theme());
  lanes.set(name, { name, lane, view });
}

function showFacts(view, side, name) {
  if (!side) return;
  view.device.textContent = side.device;
  view.state.textContent = side.state;
  view.state.dataset.state = side.state;
  view.drift.textContent = `${side.driftPpm > 0 ? '+' : ''}${side.driftPpm.toFixed(0)} ppm`;
  view.lag.textContent = `${side.lagMs.toFixed(0)} ms`;
  view.lost.textContent = `${Math.round((side.lostFrames * 1000) / rate)} ms`;
  const steps = marks
    .filter(({ lane, kind, text }) => lane === name && kind === 'strategy' && / → /.test(text))
    .map(({ text }) => text.split(' ')[0]);
  view.ladder.replaceChildren(
    ...[...steps.slice(-3), side.strategy].map((step, i, all) => {
      const chip = document.createElement('span');
      chip.textContent = step;
      chip.className = i === all.length - 1 ? 'present' : 'past';
      return chip;
    }),
  );
}

function fit(canvas) {
  const width = Math.round(canvas.clientWidth * devicePixelRatio);
  const height = Math.round(canvas.clientHeight * devicePixelRatio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

const styleOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function draw() {
  requestAnimationFrame(draw);
  if (lanes.size === 0) return;
  // Between two messages the pictures move on evenly.
  const since = stats?.paused ? 0 : Math.min(0.2, (performance.now() - newest.at) / 1000);
  const now = newest.frame + (since - 0.08) * rate;
  const axis = $('axis');
  fit(axis);
  const framesPerPixel = (seconds * rate) / axis.width;
  const from = now - (lookedBack + seconds) * rate;
  const grid = styleOf('--line');
  for (const { name, lane, view } of lanes.values()) {
    fit(view.wave);
    fit(view.spectrum);
    const place = { from, framesPerPixel };
    lane.drawWave(view.wave, { ...place, colour: styleOf(laneColours[name]), grid });
    lane.drawSpectrum(view.spectrum, {
      ...place,
      text: styleOf('--text'),
      background: styleOf('--well'),
    });
    drawMarks(view.wave, name, place);
    showLevel(view, lane.levels);
  }
  drawAxis(axis, { from, framesPerPixel });
  $('clock').textContent = clockOf(newest.frame / rate);
}

function clockOf(time) {
  const part = (length, of) => String(Math.floor(time / length) % of).padStart(2, '0');
  return `${Math.floor(time / 3600)}:${part(60, 60)}:${part(1, 60)}`;
}

function showLevel(view, { peak, rms, hold }) {
  const share = (db) => Math.min(1, Math.max(0, (db + 60) / 60));
  view.rms.style.transform = `scaleX(${share(peak)})`;
  view.rms.style.setProperty('--rms', `${(100 * share(rms)) / Math.max(0.001, share(peak))}%`);
  view.hold.style.left = `${100 * share(hold)}%`;
  view.peak.textContent = peak > -100 ? peak.toFixed(1) : '−∞';
  view.meter.setAttribute('aria-valuenow', Math.max(-60, Math.round(peak)));
}

function drawMarks(canvas, name, { from, framesPerPixel }) {
  const context = canvas.getContext('2d');
  for (const mark of marks) {
    if (mark.lane !== name || mark.kind === 'state') continue;
    const x = (mark.frame - from) / framesPerPixel;
    const width = Math.max(
      devicePixelRatio,
      mark.kind === 'gap' ? mark.frames / framesPerPixel : 0,
    );
    if (x > canvas.width || x + width < 0) continue;
    context.fillStyle = styleOf(markColours[mark.kind]);
    context.globalAlpha = 0.25;
    context.fillRect(x, 0, width, canvas.height);
    context.globalAlpha = 1;
    context.fillRect(x, 0, devicePixelRatio, canvas.height);
  }
}

function drawAxis(canvas, { from, framesPerPixel }) {
  const context = canvas.getContext('2d');
  const { width, height } = canvas;
  const scale = devicePixelRatio;
  context.clearRect(0, 0, width, height);
  const step =
    [1, 2, 5, 10, 20, 30].find((one) => (one * rate) / framesPerPixel > 70 * scale) ?? 60;
  context.font = `${11 * scale}px system-ui, sans-serif`;
  context.textBaseline = 'top';
  for (let time = Math.max(0, Math.ceil(from / rate / step) * step); ; time += step) {
    const x = (time * rate - from) / framesPerPixel;
    if (x > width) break;
    context.fillStyle = styleOf('--line');
    context.fillRect(Math.round(x), 0, scale, 5 * scale);
    context.fillStyle = styleOf('--muted');
    context.fillText(clockOf(time).replace(/^0:/, ''), x + 4 * scale, 4 * scale);
  }
  // Marks that would cover each other stand below each other.
  const free = [0, 0];
  for (const mark of [...marks].sort((a, b) => a.frame - b.frame)) {
    const x = (mark.frame - from) / framesPerPixel;
    if (x < 0 || x > width) continue;
    // A pause is one of both sides.
    if (mark.kind === 'pause' && mark.lane !== 'mic' && lanes.has('mic')) continue;
    const text = mark.kind === 'pause' ? mark.text : `${names[mark.lane]} ${mark.text}`;
    context.font = `${10.5 * scale}px system-ui, sans-serif`;
    const row = free.findIndex((end) => end < x);
    const y = (22 + 15 * Math.max(0, row)) * scale;
    context.fillStyle = styleOf(markColours[mark.kind]);
    context.beginPath();
    context.moveTo(x - 4 * scale, y);
    context.lineTo(x + 4 * scale, y);
    context.lineTo(x, y + 7 * scale);
    context.fill();
    if (row < 0) continue;
    const short = text.length > 34 ? `${text.slice(0, 33)}…` : text;
    context.fillStyle = styleOf('--muted');
    context.fillText(short, x + 7 * scale, y - 2 * scale);
    free[row] = x + context.measureText(short).width + 16 * scale;
  }
}

function logMark({ lane, kind, frame, text }) {
  const line = document.createElement('li');
  const time = Object.assign(document.createElement('time'), {
    textContent: clockOf(frame / rate),
  });
  const who = Object.assign(document.createElement('b'), { textContent: names[lane] });
  line.dataset.kind = kind;
  line.append(time, who, text);
  $('log').prepend(line);
  while ($('log').children.length > 60) $('log').lastElementChild.remove();
}

function status(text, kind = '') {
  $('status').textContent = text;
  document.body.dataset.status = kind;
}

// --- Sound ---

let player;
let speech;

const openContext = async () => {
  const context = new AudioContext({ sampleRate: rate, latencyHint: 'interactive' });
  await context.audioWorklet.addModule('worklets.js');
  return context;
};

async function openPlayer() {
  const context = await openContext();
  const nodes = new Map();
  const nodeOf = (name) => {
    if (!nodes.has(name)) {
      const processorOptions = { latencyFrames: 0.12 * rate };
      const node = new AudioWorkletNode(context, 'player', {
        numberOfInputs: 0,
        outputChannelCount: [1],
        processorOptions,
      });
      node.connect(context.destination);
      nodes.set(name, node);
    }
    return nodes.get(name);
  };
  return {
    play: (name, samples) => nodeOf(name).port.postMessage(samples),
    close: () => context.close(),
  };
}

async function listen(name) {
  listens = name;
  press('listen', name);
  const before = player;
  if (name === 'off') {
    player = undefined;
    await before?.close();
  } else {
    player ??= await openPlayer();
  }
}

async function speak() {
  if (speech) return stopSpeaking();
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const context = await openContext();
    const node = new AudioWorkletNode(context, 'microphone', { numberOfOutputs: 0 });
    context.createMediaStreamSource(stream).connect(node);
    node.port.onmessage = ({ data }) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(data);
    };
    speech = { stream, context };
    $('speak').setAttribute('aria-pressed', true);
    command('speak');
  } catch (error) {
    status(`No microphone: ${error.message}`, 'ended');
  }
}

function stopSpeaking() {
  for (const track of speech?.stream.getTracks() ?? []) track.stop();
  void speech?.context.close();
  speech = undefined;
  $('speak').setAttribute('aria-pressed', false);
}

// --- Controls ---

function press(id, value) {
  for (const button of $(id).querySelectorAll('button')) {
    button.setAttribute('aria-pressed', button.dataset.value === value);
  }
}

function theme() {
  return document.documentElement.dataset.theme;
}

function chooseTheme(name) {
  const system = matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
  document.documentElement.dataset.theme = name ?? system;
  for (const { lane } of lanes.values()) lane.theme(theme());
}
matchMedia('(prefers-color-scheme: light)').onchange = () =>
  chooseTheme(localStorage.getItem('theme'));

function otherTheme() {
  localStorage.setItem('theme', theme() === 'dark' ? 'light' : 'dark');
  chooseTheme(localStorage.getItem('theme'));
}

const zoom = (by) => {
  const at = zooms.indexOf(seconds) + by;
  seconds = zooms[Math.min(zooms.length - 1, Math.max(0, at))];
};
const lookBack = (by) =>
  (lookedBack = Math.max(0, Math.min(120, lookedBack + by * seconds * 0.25)));
const ways = ['off', 'mic', 'system', 'mix'];

const keys = {
  ' ': () => command('pause', !stats?.paused),
  1: () => command('mode', 'both'),
  2: () => command('mode', 'mic'),
  3: () => command('mode', 'system'),
  l: () => void listen(ways[(ways.indexOf(listens) + 1) % ways.length]),
  s: () => void speak(),
  t: otherTheme,
  '+': () => zoom(-1),
  '=': () => zoom(-1),
  '-': () => zoom(1),
  ArrowLeft: () => lookBack(1),
  ArrowRight: () => lookBack(-1),
  End: () => (lookedBack = 0),
};

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  // A button that has the focus is pressed by the space bar.
  if (!action || (event.key === ' ' && event.target.closest('button'))) return;
  event.preventDefault();
  action();
});

press('listen', 'off');
for (const [id, act] of [
  ['mode', (value) => command('mode', value)],
  ['listen', (value) => void listen(value)],
]) {
  $(id).onclick = ({ target }) => target.dataset.value && act(target.dataset.value);
}
$('pause').onclick = keys[' '];
$('speak').onclick = keys.s;
$('theme').onclick = otherTheme;
