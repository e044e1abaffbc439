import {
  listAudioProcesses,
  listDevices,
  ProcessMonitor,
  type AudioProcess,
  type ListProcessesOptions,
} from '../index.js';
import type { Command } from './command.js';
import { listOptions, printChange, printList, untilInterrupted } from './lists.js';
import { table } from './terminal.js';

export const processes: Command = {
  name: 'processes',
  summary: 'lists the programs that play, or that use a microphone',
  usage: '[OPTIONS]',
  options: {
    microphone: { type: 'boolean', help: 'lists the programs that use a microphone' },
    ...listOptions,
  },
  examples: ['processes', 'processes --microphone --watch'],
  async run(invocation) {
    const { values, backend } = invocation;
    const flow = values.microphone === true ? 'input' : 'output';
    const options: ListProcessesOptions = { backend, flow };
    const names = await namesOfDevices(options);
    if (values.watch !== true) {
      const all = await listAudioProcesses(options);
      return printList(invocation, all, () => describe(all, flow, names));
    }
    const monitor = new ProcessMonitor(options);
    const report = (event: string, one: AudioProcess): void => {
      const where = placesOf(one, names);
      const who = `${one.displayName || one.name} (${one.pid})`;
      const line = `${event.padEnd(7)} ${one.state.padEnd(8)} ${who}${where && `  ${where}`}`;
      printChange(invocation, { event, process: one }, line);
    };
    for (const event of ['add', 'remove', 'change'] as const) {
      monitor.on(event, (one: AudioProcess) => report(event, one));
    }
    return untilInterrupted(monitor);
  },
};

function placesOf({ devices }: AudioProcess, names: ReadonlyMap<string, string>): string {
  return devices.map((id) => names.get(id) ?? id).join(', ');
}

async function namesOfDevices({ backend }: ListProcessesOptions): Promise<Map<string, string>> {
  return new Map((await listDevices({ backend })).map(({ id, name }) => [id, name]));
}

function describe(
  all: readonly AudioProcess[],
  flow: 'input' | 'output',
  names: ReadonlyMap<string, string>,
): string {
  if (all.length === 0) {
    return flow === 'input' ? 'no program uses a microphone\n' : 'no program plays\n';
  }
  const rows = all.map((one) => [
    String(one.pid),
    one.name,
    one.displayName === one.name ? '' : one.displayName,
    one.own ? `${one.state}, own` : one.state,
    Number.isFinite(one.levelDb) ? `${one.levelDb.toFixed(0)} dB` : '',
    one.muted ? 'muted' : `${Math.round(one.volume * 100)} %`,
    placesOf(one, names),
  ]);
  return table(['PID', 'PROGRAM', 'NAME', 'STATE', 'LEVEL', 'VOLUME', 'DEVICES'], rows);
}
