import { openBackend, type BackendOption } from '../engine/backend.js';
import type { CableClaim } from './cable-claim.js';
import { askDevices, toPublic, type AudioDevice } from './devices.js';
import { AudioError } from '../errors.js';
import type { NativeDevice } from '../engine/native.js';
import { checkOptions } from '../validate.js';

/** The driver or server of a virtual microphone. */
export type VirtualMicDriver = (typeof virtualMicDrivers)[number];

// In the order in which `device: 'auto'` prefers them: plain cables first, then drivers that depend on settings.
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

/** How a cable was recognised, or its ends were matched. A `name` is only a hint, because users rename devices. */
export type VirtualMicEvidence =
  'server' | 'hardware-id' | 'service' | 'parent' | 'driver-name' | 'name' | 'probe';

/** A virtual cable: an output, and the microphone that carries its sound. */
export interface VirtualMic {
  /** The kind of cable. */
  readonly driver: VirtualMicDriver;
  /** The name of the product, for example `VB-CABLE A`. */
  readonly product: string;
  /** The output of the cable. Pass it as the `device` option of a {@link VirtualMicSink}. */
  readonly render: AudioDevice;
  /** The microphone that other programs must select; undefined if it is not known (see `problem`). */
  readonly capture: AudioDevice | undefined;
  /** All microphones that may carry the output, if there are several. `VirtualMicSink.probe()` finds the right one. */
  readonly candidates: readonly AudioDevice[];
  /**
   * The bus of a virtual mixer that `capture` carries, for example `B1`. The settings of the mixer decide what is on
   * it.
   */
  readonly bus?: string;
  /** How the cable was recognised. */
  readonly recognisedBy: VirtualMicEvidence;
  /** How `capture` was found; undefined without a `capture`. */
  readonly pairedBy: VirtualMicEvidence | undefined;
  /** Why the cable cannot be used; absent if it can. */
  readonly problem?: string;
}

/**
 * Lists the virtual microphones of the system: VB-CABLE, VoiceMeeter, Virtual Audio Cable, Scream, virtual
 * sources of PulseAudio and PipeWire, ALSA's loopback cards, BlackHole and Loopback. If one cannot be used, its `problem`
 * says why.
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
    return `it is not known which of ${shown(candidates)} carries '${output.name}'; VirtualMicSink.probe() finds it`;
  }
  if (output.cable === 'scream') {
    return 'it sends its audio over the network and has no microphone on this computer';
  }
  if (output.cable === 'alsa-loopback') {
    return `the card's other device carries '${output.name}', but the audio server does not list it`;
  }
  const gone = devices.filter(
    (candidate) =>
      candidate.flow === 'input' &&
      candidate.product === output.product &&
      candidate.state !== 'active',
  );
  if (gone.length === 0) return `the microphone of '${output.name}' does not exist`;
  return `the microphone of '${output.name}' cannot be used: ${gone
    .map(({ name, state }) => `'${name}' is ${words[state]}`)
    .join(', ')}`;
}

const words = {
  active: 'active',
  disabled: 'disabled',
  notPresent: 'not present',
  unplugged: 'unplugged',
} as const;

// How to get each driver.
const remedies: Record<VirtualMicDriver, string> = {
  'vb-cable': 'Install VB-CABLE from https://vb-audio.com/Cable and restart the computer',
  voicemeeter: 'Install VoiceMeeter from https://voicemeeter.com and start it',
  'virtual-audio-cable': 'Install Virtual Audio Cable from https://vac.muzychenko.net',
  scream: 'Scream has no microphone. Install VB-CABLE from https://vb-audio.com/Cable',
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

/** The remedy for a missing driver. */
function remedyFor(driver: VirtualMicDriver, platform: NodeJS.Platform): string {
  if (systems[driver]?.includes(platform) ?? true) return remedies[driver];
  return platform === 'linux'
    ? 'It does not exist for Linux. Leave the driver out: on Linux a VirtualMicSink creates its own microphone'
    : 'It does not exist for this system. Leave the driver out';
}

/**
 * Chooses the cable for `device: 'auto'`, and claims it. It prefers cables that this process does not play to yet, and
 * plain cables to virtual mixers. Returns undefined if no cable is installed.
 *
 * @throws `ERR_AUDIO_DEVICE_NOT_FOUND` if the installed cables cannot be used; the message says why.
 */
export function chooseVirtualMic(
  devices: readonly NativeDevice[],
  claim: CableClaim,
  driver?: VirtualMicDriver,
): VirtualMic | undefined {
  const all = findVirtualMics(devices).filter((mic) => !driver || mic.driver === driver);
  const usable = all.filter((mic) => !mic.problem);
  const isFed = (mic: VirtualMic): boolean =>
    devices.some((candidate) => candidate.id === mic.render.id && candidate.fed);
  const inOrder = [...usable.filter((mic) => !isFed(mic)), ...usable.filter(isFed)];
  const mic = inOrder.find(({ render }) => claim.take(render.id));
  if (mic || all.length === 0) return mic;
  if (usable.length > 0) throw taken(usable[0].render);
  throw new AudioError(
    'ERR_AUDIO_DEVICE_NOT_FOUND',
    `no virtual microphone can be used: ${all.map((one) => `${one.product}: ${one.problem}`).join('; ')}`,
    {
      deviceId: all[0].render.id,
      remedy:
        'Enable both ends in the sound settings, or set the device option to the output to play on',
    },
  );
}

/** The error for a cable that a stream of this process uses in the other way. */
export function taken({ id, name }: { id: string; name: string }): AudioError {
  return new AudioError(
    'ERR_AUDIO_DEVICE_NOT_FOUND',
    `the only virtual cable is '${name}', which another stream of this process uses`,
    {
      deviceId: id,
      remedy: 'Install a second cable: a virtual speaker and a virtual microphone need one each',
    },
  );
}

/** The error for a missing driver. */
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
