import { openBackend, type BackendOption } from '../engine/backend.js';
import { askDevices, toPublic, type AudioDevice } from './devices.js';
import { AudioError } from '../errors.js';
import type { NativeDevice } from '../engine/native.js';
import { checkOptions } from '../validate.js';

/** Who makes a virtual microphone. */
export type VirtualMicDriver = (typeof virtualMicDrivers)[number];

// In the order in which `device: 'auto'` prefers them: plain cables, then what needs settings.
export const virtualMicDrivers = [
  'vb-cable',
  'virtual-audio-cable',
  'alsa-loopback',
  'blackhole',
  'loopback',
  'voicemeeter',
  'scream',
  'pulseaudio',
  'pipewire',
  'simulated',
] as const;

/** How a cable or its pair of ends was found out; `name` is a hint only, users rename devices. */
export type VirtualMicEvidence =
  'server' | 'hardware-id' | 'service' | 'parent' | 'driver-name' | 'name' | 'probe';

/** A cable that is installed: an output, and the microphone that hears what is played to it. */
export interface VirtualMic {
  /** The kind of cable. */
  readonly driver: VirtualMicDriver;
  /** The name that its maker gives it: `VB-CABLE A`. */
  readonly product: string;
  /** The output of the cable; the `device` option of a {@link VirtualMicSink}. */
  readonly render: AudioDevice;
  /** The microphone that other programs must select; undefined if it is not known, see `problem`. */
  readonly capture: AudioDevice | undefined;
  /** Where there are several: all inputs that may carry it. `VirtualMicSink.probe()` finds out. */
  readonly candidates: readonly AudioDevice[];
  /** The bus of a virtual mixer that `capture` carries: `B1`. The settings of the mixer decide what is on it. */
  readonly bus?: string;
  /** How it was found to be a cable. */
  readonly recognisedBy: VirtualMicEvidence;
  /** How `capture` was found; undefined without one. */
  readonly pairedBy: VirtualMicEvidence | undefined;
  /** Why it cannot be used as it is. */
  readonly problem?: string;
}

/**
 * The virtual microphones that are there: VB-CABLE, VoiceMeeter, Virtual Audio Cable, Scream, virtual
 * sources of PulseAudio and PipeWire, ALSA's loopback cards, BlackHole, Loopback. Those that cannot be
 * used say why.
 *
 * @throws `ERR_AUDIO_BACKEND_UNAVAILABLE` if there is no audio server, `ERR_AUDIO_NATIVE_LOAD_FAILED`.
 *
 * @example
 * for (const { product, capture } of await listVirtualMics()) console.log(product, capture?.name);
 */
export async function listVirtualMics(options?: BackendOption): Promise<VirtualMic[]> {
  const given = checkOptions(options, 'listVirtualMics', ['backend']);
  return findVirtualMics(await askDevices(openBackend(given)));
}

export function findVirtualMics(devices: readonly NativeDevice[]): VirtualMic[] {
  const rank = ({ driver, product }: VirtualMic): number =>
    virtualMicDrivers.indexOf(driver) + (product === 'VB-CABLE' ? -0.5 : 0);
  return devices
    .filter((candidate) => candidate.flow === 'output' && candidate.cable)
    .map((output) => describe(devices, output))
    .sort((a, b) => rank(a) - rank(b));
}

function describe(devices: readonly NativeDevice[], output: NativeDevice): VirtualMic {
  const capture = devices.find((candidate) => candidate.id === output.peerId);
  const candidates = devices.filter((one) => output.possiblePeers.includes(one.id));
  const problem = problemOf(devices, output, capture, candidates);
  return Object.freeze({
    driver: output.cable as VirtualMicDriver,
    product: output.product ?? output.name,
    render: toPublic(output),
    capture: capture && toPublic(capture),
    candidates: Object.freeze(candidates.map(toPublic)),
    ...(capture?.bus ? { bus: capture.bus } : {}),
    recognisedBy: (output.recognisedBy ?? 'name') as VirtualMicEvidence,
    pairedBy: output.pairedBy as VirtualMicEvidence | undefined,
    ...(problem ? { problem } : {}),
  });
}

const shown = (devices: readonly { name: string }[]): string =>
  devices.map(({ name }) => `'${name}'`).join(', ');

function problemOf(
  devices: readonly NativeDevice[],
  output: NativeDevice,
  capture: NativeDevice | undefined,
  candidates: readonly NativeDevice[],
): string | undefined {
  if (output.state !== 'active') return `its output '${output.name}' is ${words[output.state]}`;
  if (capture) return undefined;
  if (candidates.length > 0) {
    return `it cannot be told which of ${shown(candidates)} hears '${output.name}'; VirtualMicSink.probe() finds out`;
  }
  if (output.cable === 'scream') {
    return 'it sends what it plays over the network; no microphone of this computer hears it';
  }
  if (output.cable === 'alsa-loopback') {
    return `what '${output.name}' plays is heard on the card's other device, which the audio server does not show`;
  }
  const gone = devices.filter(
    (candidate) =>
      candidate.flow === 'input' &&
      candidate.product === output.product &&
      candidate.state !== 'active',
  );
  if (gone.length === 0) return `the microphone that hears '${output.name}' is not there`;
  return `the microphone that hears '${output.name}' is not in use: ${gone
    .map(({ name, state }) => `'${name}' is ${words[state]}`)
    .join(', ')}`;
}

const words = {
  active: 'active',
  disabled: 'disabled',
  notPresent: 'not present',
  unplugged: 'unplugged',
} as const;

// Where each can be had, for those who ask for one that is not there.
const remedies: Record<VirtualMicDriver, string> = {
  'vb-cable': 'Install VB-CABLE from https://vb-audio.com/Cable and restart the computer',
  voicemeeter: 'Install VoiceMeeter from https://voicemeeter.com and start it',
  'virtual-audio-cable': 'Install Virtual Audio Cable from https://vac.muzychenko.net',
  scream: 'Scream is no microphone: install VB-CABLE from https://vb-audio.com/Cable',
  'alsa-loopback': 'Load the loopback card: modprobe snd-aloop',
  blackhole: 'Install BlackHole from https://existential.audio/blackhole',
  loopback: 'Install Loopback from https://rogueamoeba.com/loopback',
  pulseaudio: 'Start PulseAudio, or leave the driver out',
  pipewire: 'Start PipeWire with pipewire-pulse, or leave the driver out',
  simulated: 'Pass a SimulatedAudio as the backend option',
};

const systems: Partial<Record<VirtualMicDriver, readonly NodeJS.Platform[]>> = {
  'vb-cable': ['win32', 'darwin'],
  voicemeeter: ['win32'],
  'virtual-audio-cable': ['win32'],
  scream: ['win32'],
  'alsa-loopback': ['linux'],
  blackhole: ['darwin'],
  loopback: ['darwin'],
  pulseaudio: ['linux'],
  pipewire: ['linux'],
};

/** What to do about a driver that is not there. */
function remedyFor(driver: VirtualMicDriver, platform: NodeJS.Platform): string {
  if (systems[driver]?.includes(platform) ?? true) return remedies[driver];
  return platform === 'linux'
    ? 'It does not exist for Linux. Leave the driver out: on Linux a VirtualMicSink makes a microphone of its own'
    : 'It does not exist for this system. Leave the driver out';
}

/**
 * The cable that `device: 'auto'` means: one that this process does not feed yet before one that it
 * does, plain cables before mixers. Undefined: nothing of the kind is installed.
 *
 * @throws `ERR_AUDIO_DEVICE_NOT_FOUND` when what is installed cannot be used, with why.
 */
export function chooseVirtualMic(
  devices: readonly NativeDevice[],
  driver?: VirtualMicDriver,
): VirtualMic | undefined {
  const all = findVirtualMics(devices).filter((mic) => !driver || mic.driver === driver);
  const usable = all.filter((mic) => !mic.problem);
  const isFed = (mic: VirtualMic): boolean =>
    devices.some((candidate) => candidate.id === mic.render.id && candidate.fed);
  const mic = usable.find((one) => !isFed(one)) ?? usable[0];
  if (mic || all.length === 0) return mic;
  throw new AudioError(
    'ERR_AUDIO_DEVICE_NOT_FOUND',
    `no virtual microphone can be used: ${all.map((one) => `${one.product}: ${one.problem}`).join('; ')}`,
    {
      deviceId: all[0].render.id,
      remedy:
        'Enable both ends in the sound settings, or name the output to play to as the device option',
    },
  );
}

/** The error for a driver that was demanded and is not there. */
export function driverMissing(
  driver: VirtualMicDriver,
  platform: NodeJS.Platform = process.platform,
): AudioError {
  return new AudioError(
    'ERR_AUDIO_UNSUPPORTED',
    `no virtual microphone of the driver '${driver}' was found`,
    { remedy: remedyFor(driver, platform) },
  );
}
