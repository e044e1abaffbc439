import type { BackendOption } from '../engine/backend.js';
import { listDevices } from '../devices/devices.js';
import { listAudioProcesses, type AudioProcess } from '../devices/processes.js';
import { whyNoFfmpeg } from '../isolation/ffmpeg-capture.js';
import { ProcessSource } from '../sources/process-source.js';
import type { SideName } from './mixdown.js';
import {
  optionsOf,
  type MeetingMicOptions,
  type MeetingPlan,
  type MeetingSystemOptions,
} from './options.js';
import type { Side } from './side.js';
import type { Strategy } from './strategies.js';

/** The change that a rung makes to a dead side. */
export interface Move {
  options: MeetingMicOptions | MeetingSystemOptions;
  /** Other options of the system's side, if it is reopened. */
  systemOptions?: MeetingSystemOptions | undefined;
  /** The device to try, if the rung chooses one. */
  device?: string;
  /** Whether to reopen the system's side after the microphone. */
  reopensSystem?: boolean;
}

export interface RungContext {
  plan: MeetingPlan;
  side: Side;
}

export interface Rung {
  readonly side: SideName;
  /** The changes to try, one after the other, or the reason why there are none. */
  moves(context: RungContext): Promise<Move[] | string>;
}

/** The maximum number of other devices to try. */
const mostDevices = 3;

/** Every rung of the ladder. A new one needs its name in `strategies.ts` and an entry here. */
export const rungs: Readonly<Record<Strategy, Rung>> = {
  shared: {
    side: 'mic',
    moves: async ({ plan }) => [{ options: plan.mic ?? {}, reopensSystem: true }],
  },
  'reverse-order': {
    side: 'mic',
    moves: async ({ plan }) => [{ options: plan.mic ?? {} }],
  },
  raw: {
    side: 'mic',
    moves: async ({ plan }) =>
      plan.mic?.raw ? 'it is raw already' : [{ options: { ...plan.mic, raw: true } }],
  },
  mme: { side: 'mic', moves: async ({ plan }) => moveToApi('mme', plan) },
  directsound: { side: 'mic', moves: async ({ plan }) => moveToApi('directsound', plan) },
  'mic-process': {
    side: 'mic',
    moves: async ({ plan }) => whyNotIsolated(plan) ?? [moveTo('mic-process', plan)],
  },
  'both-processes': {
    side: 'mic',
    moves: async ({ plan }) => {
      if (!plan.system) return "the system's side is not captured";
      return whyNotIsolated(plan) ?? [moveTo('both-processes', plan)];
    },
  },
  ffmpeg: {
    side: 'mic',
    moves: async ({ plan }) => {
      const { backend, ffmpegPath } = plan;
      const isSimulated = typeof backend === 'object' || backend === 'simulated';
      if (isSimulated) return 'FFmpeg has no access to a simulation';
      return (await whyNoFfmpeg(ffmpegPath)) ?? [moveTo('ffmpeg', plan)];
    },
  },
  'other-device': { side: 'mic', moves: otherDevices },
  endpoint: { side: 'system', moves: endpoints },
};

function moveTo(strategy: Strategy, plan: MeetingPlan): Move {
  const { mic, system } = optionsOf(strategy, plan);
  return { options: mic ?? {}, systemOptions: system, reopensSystem: system !== plan.system };
}

function moveToApi(api: 'mme' | 'directsound', plan: MeetingPlan): Move[] | string {
  if (process.platform !== 'win32' || typeof plan.backend === 'object')
    return 'only Windows has it';
  return plan.mic?.api === api ? 'it is used already' : [moveTo(api, plan)];
}

function whyNotIsolated({ backend }: MeetingPlan): string | undefined {
  return typeof backend === 'object'
    ? 'a child process has no access to a simulation of this process'
    : undefined;
}

async function otherDevices({ plan, side }: RungContext): Promise<Move[] | string> {
  const { device = 'default' } = plan.mic ?? {};
  if (device !== 'default' && device !== 'communications') return 'the options name a device';
  const dead = side.feed.source.device?.id;
  const inputs = await listDevices({ flow: 'input', ...backendOf(plan) });
  const others = inputs.filter(({ id, virtual }) => id !== dead && !virtual);
  const isForCalls = (roles: readonly string[]): boolean => roles.includes('communications');
  others.sort((a, b) => +isForCalls(b.defaultRoles) - +isForCalls(a.defaultRoles));
  if (others.length === 0) return 'there is no other microphone';
  return others
    .slice(0, mostDevices)
    .map(({ id, name }) => ({ options: { ...plan.mic, device: id }, device: name }));
}

async function endpoints({ plan, side }: RungContext): Promise<Move[] | string> {
  const { system } = plan;
  if (!system || !('process' in system)) return 'no programs are captured';
  if (system.mode === 'exclude' || system.except !== undefined) {
    return 'programs are excluded, and an output carries all programs';
  }
  const { source } = side.feed;
  const isAll = system.process === 0;
  const captured = new Set(source instanceof ProcessSource ? source.processes.map(keyOf) : []);
  const playing = (await listAudioProcesses(backendOf(plan))).filter(
    (one) => one.devices.length > 0 && (isAll || captured.has(keyOf(one))),
  );
  playing.sort((a, b) => +(b.state === 'active') - +(a.state === 'active'));
  const ids = [...new Set(playing.flatMap(({ devices }) => devices))];
  if (ids.length === 0) return 'the output of the programs is not known';
  const outputs = await listDevices({ flow: 'output', ...backendOf(plan) });
  const { recover } = system;
  return ids.slice(0, mostDevices).map((id) => ({
    options: { device: id, ...(recover !== undefined && { recover }) },
    device: outputs.find((one) => one.id === id)?.name ?? id,
  }));
}

const keyOf = ({ pid, startTime }: AudioProcess): string => `${pid} ${startTime}`;

const backendOf = ({ backend }: MeetingPlan): BackendOption =>
  backend === undefined ? {} : { backend };
