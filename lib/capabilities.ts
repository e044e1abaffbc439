import { CableClaim } from './devices/cable-claim.js';
import { askDevices, listDevices } from './devices/devices.js';
import { makesDevices, told } from './devices/made-device.js';
import { chooseVirtualMic } from './devices/virtual-mics.js';
import {
  backendNames,
  namedBackend,
  openBackend,
  type BackendName,
  type BackendOption,
} from './engine/backend.js';
import { AudioError } from './errors.js';
import { defaultFormat } from './format/format.js';
import type { AudioSource } from './sources/audio-source.js';
import { LoopbackSource } from './sources/loopback-source.js';
import { MicSource } from './sources/mic-source.js';
import { ProcessSource } from './sources/process-source.js';
import { checkOptions } from './validate.js';

/** Whether something works on this machine. */
export interface Capability {
  /** Whether it works. */
  readonly supported: boolean;
  /** Why it does not work; absent if it does. */
  readonly reason?: string;
  /** The remedy: what the user can do about it. Absent if none is known. */
  readonly remedy?: string;
}

/** The capabilities of this machine, from {@link getCapabilities}. */
export interface Capabilities {
  /** Each audio system: whether this platform has it, and whether it can be reached. */
  readonly backends: Readonly<Record<BackendName, Capability>>;
  /** Whether the default microphone can be opened. `reason` says whether the system denies it or has none. */
  readonly micPermission: Capability;
  /** Whether what the default output plays can be recorded. */
  readonly loopback: Capability;
  /** Whether programs can be captured apart from each other. */
  readonly processCapture: Capability;
  /** Whether a virtual microphone can be created, or an installed cable can be used. */
  readonly virtualMic: Capability;
  /**
   * Whether the system has an exclusive mode. It is not tried, because that would interrupt other programs. The driver of
   * a device may still refuse it.
   */
  readonly exclusive: Capability;
  /** Whether the default microphone has a shorter period than the usual one. */
  readonly lowLatency: Capability;
  /** Whether the thread that serves the default microphone gets real-time priority. */
  readonly realtime: Capability;
}

/**
 * Finds out what works on this machine by trying it. For a moment it opens the default microphone, the loopback of the
 * default output and a capture of programs, and an indicator of the system may show that. It creates no devices.
 * Whatever does not work is in the result with its reason; the promise does not reject for that.
 *
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_AUDIO_NATIVE_LOAD_FAILED`.
 * @example
 * const { micPermission, processCapture } = await getCapabilities();
 * if (!micPermission.supported) console.error(micPermission.reason);
 * picker.hidden = !processCapture.supported;
 */
export async function getCapabilities(options?: BackendOption): Promise<Capabilities> {
  const { backend } = checkOptions<BackendOption>(options, 'getCapabilities', ['backend']);
  const given = backend === undefined ? {} : { backend };
  const host = openBackend(given);
  const reached = backendNames.map((name) => attempt(() => listDevices({ backend: name })));
  const [wasapi, pulse, simulated] = await Promise.all(reached);
  const mic = await trying(() => new MicSource({ ...given, recover: false, lowLatency: true }));
  const loopback = await trying(() => new LoopbackSource({ ...given, recover: false }));
  const programs = await trying(() => new ProcessSource({ ...given, recover: false, process: 0 }));
  return {
    backends: { wasapi, pulse, simulated },
    micPermission: mic.capability,
    loopback: loopback.capability,
    processCapture: programs.capability,
    virtualMic: await attempt(async () => {
      const devices = await askDevices(host);
      if (await makesDevices(host)) return;
      const claim = new CableClaim(host, 'microphone');
      try {
        if (chooseVirtualMic(devices, claim)) return;
      } finally {
        claim.end();
      }
      // Fails with what to install.
      await told(host.makeCable('patchcord', defaultFormat));
    }),
    exclusive: exclusive((namedBackend(given) ?? 'wasapi') === 'wasapi' && wasapi.supported),
    lowLatency: granted(mic, 'lowLatency'),
    realtime: granted(mic, 'realtime'),
  };
}

interface Tried {
  source: AudioSource | undefined;
  capability: Capability;
}

async function trying(open: () => AudioSource): Promise<Tried> {
  let source: AudioSource | undefined;
  const capability = await attempt(async () => {
    const opened = await open().ready;
    await opened.close();
    source = opened;
  });
  return { source, capability };
}

async function attempt(work: () => Promise<unknown>): Promise<Capability> {
  try {
    await work();
    return { supported: true };
  } catch (error) {
    if (!(error instanceof AudioError) || error.code === 'ERR_AUDIO_NATIVE_LOAD_FAILED')
      throw error;
    const { message, remedy } = error;
    return { supported: false, reason: message, ...(remedy !== undefined && { remedy }) };
  }
}

function granted({ source, capability }: Tried, name: 'lowLatency' | 'realtime'): Capability {
  if (!source?.granted) return capability;
  const supported = source.granted[name];
  const reason = source.granted.reasons[name] ?? 'the system has not granted it';
  return supported ? { supported } : { supported, reason };
}

function exclusive(supported: boolean): Capability {
  if (supported) return { supported };
  return { supported, reason: 'only WASAPI has an exclusive mode' };
}
