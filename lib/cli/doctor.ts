import { release } from 'node:os';

import { getCapabilities, getDefaultDevice, listDevices, type Capability } from '../index.js';
import type { Command, Invocation } from './command.js';
import { selfTest } from './self-test.js';
import { paint } from './terminal.js';
import { version } from './version.js';

/** One thing that this machine has or lacks. */
interface Finding {
  name: string;
  /** `absent`: it is not needed to record and to play. */
  state: 'ok' | 'absent' | 'failed';
  detail: string;
  remedy?: string;
}

export const doctor: Command = {
  name: 'doctor',
  summary: 'finds out what works on this machine, and what to do about the rest',
  usage: '[OPTIONS]',
  options: { json: { type: 'boolean', help: 'prints JSON' } },
  details: `It opens the default microphone and the default output for a moment. The test of sound runs through an output
that it creates and removes (Linux), or in a simulation. The exit code is 1 if something fails that recording or playing
needs.`,
  examples: ['doctor', 'doctor --json > report.json'],
  async run(invocation) {
    const findings = await examine(invocation);
    const machine = {
      patchcord: version,
      node: process.version,
      system: `${process.platform} ${release()} ${process.arch}`,
    };
    if (invocation.values.json === true) {
      process.stdout.write(`${JSON.stringify({ ...machine, findings }, null, 2)}\n`);
    } else process.stdout.write(describe(Object.entries(machine), findings));
    return findings.some(({ state }) => state === 'failed') ? 1 : 0;
  },
};

async function examine({ backend }: Invocation): Promise<Finding[]> {
  const { backends, ...found } = await getCapabilities({ backend });
  const names = Object.entries(backends);
  const reached = names.filter(([name, one]) => one.supported && name !== 'simulated');
  const own = process.platform === 'win32' ? backends.wasapi : backends.pulse;
  const [input, output] = await Promise.all(
    (['input', 'output'] as const).map((flow) =>
      getDefaultDevice(flow, 'console', { backend }).catch(() => undefined),
    ),
  );
  const named = backend ?? names.find(([name]) => name === process.env.PATCHCORD_BACKEND)?.[0];
  const system: Finding =
    named === undefined
      ? finding('audio system', own, reached.map(([name]) => name).join(', '), 'failed')
      : finding('audio system', backends[named as keyof typeof backends], named, 'failed');
  const findings: Finding[] = [
    system,
    finding('microphone', found.micPermission, input?.name ?? '', 'failed'),
    finding('loopback', found.loopback, output?.name ?? '', 'failed'),
    finding('programs', found.processCapture, 'can be captured one by one'),
    finding('virtual microphone', found.virtualMic, await cableOf(backend)),
    finding('exclusive mode', found.exclusive, 'devices may still refuse it'),
    finding('low latency', found.lowLatency, ''),
    finding('real-time priority', found.realtime, ''),
  ];
  if (output?.standIn) {
    const detail = `'${output.name}' plays to nobody, because the system has no output`;
    findings.push({ name: 'output', state: 'absent', detail });
  }
  if (input?.handsFree) {
    const detail = `while '${input.name}' is recorded, its headset plays in the quality of a telephone`;
    const remedy = 'Record another microphone, or use headphones without one';
    findings.push({ name: 'headset', state: 'absent', detail, remedy });
  }
  return [...findings, await soundOf(backend, system.state === 'ok')];
}

async function cableOf(backend: Invocation['backend']): Promise<string> {
  if (process.platform === 'linux') return 'is created when it is needed';
  const devices = await listDevices({ backend }).catch(() => []);
  return devices.find(({ virtual, flow }) => virtual && flow === 'input')?.name ?? '';
}

async function soundOf(backend: Invocation['backend'], isReached: boolean): Promise<Finding> {
  const name = 'test of sound';
  try {
    const { way, levelDb, snrDb } = await selfTest(backend, isReached);
    const detail = `1000 Hz through ${way}: ${levelDb.toFixed(1)} dBFS, SNR ${snrDb.toFixed(0)} dB`;
    const isGood = Math.abs(levelDb + 12) < 1 && snrDb > 40;
    return { name, state: isGood ? 'ok' : 'failed', detail };
  } catch (error) {
    return { name, state: 'failed', detail: (error as Error).message };
  }
}

function finding(
  name: string,
  { supported, reason, remedy }: Capability,
  detail: string,
  otherwise: 'absent' | 'failed' = 'absent',
): Finding {
  if (supported) return { name, state: 'ok', detail };
  // The remedy is also the end of the reason.
  return { name, state: otherwise, detail: reason ?? '', ...(remedy !== undefined && { remedy }) };
}

function describe(machine: [string, string][], findings: readonly Finding[]): string {
  const marks = {
    ok: paint('green', 'ok    '),
    absent: paint('yellow', 'absent'),
    failed: paint('red', 'failed'),
  };
  const lines = findings.map(({ name, state, detail }) =>
    `  ${marks[state]}  ${name.padEnd(18)}  ${detail}`.trimEnd(),
  );
  const failed = findings.filter(({ state }) => state === 'failed');
  const verdict =
    failed.length === 0
      ? 'This machine can record and play.'
      : `This needs attention: ${failed.map(({ name }) => name).join(', ')}.`;
  return `${[...machine.map((pair) => pair.join(' ')), '', ...lines, '', verdict].join('\n')}\n`;
}
