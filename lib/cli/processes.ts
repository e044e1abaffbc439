import {
  listAudioProcesses,
  listDevices,
  ProcessMonitor,
  type AudioProcess,
  type ListProcessesOptions,
} from '../index.js';
import type { Command } from './command.js';
import { untilInterrupted } from './until-interrupted.js';
import { table } from './terminal.js';

export const processes: Command = {
  name: 'processes',
  summary: 'lists the programs that play, or that use a microphone',
  usage: '[OPTIONS]',
  options: {
    microphone: { type: 'boolean', help: 'lists the programs that use a microphone' },
    watch: { type: 'boolean', help: 'continues, and reports changes until Ctrl-C' },
    json: { type: 'boolean', help: 'prints JSON' },
  },
  examples: ['processes', 'processes --microphone --watch'],
  async run({ values, backend }) {
    const flow = values.microphone === true ? 'input' : 'output';
    const options: ListProcessesOptions = { backend, flow };
    const names = await namesOfDevices(options);
    if (values.watch !== true) {
      const all = await listAudioProcesses(options);
      if (values.json === true) process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
      else process.stdout.write(describe(all, flow, names));
      return 0;
    }
    const monitor = new ProcessMonitor(options);
    const report = (event: string, one: AudioProcess): void => {
      const where = one.devices.map((id) => names.get(id) ?? id).join(', ');
      const who = `${one.displayName || one.name} (${one.pid})`;
      const line = `${event.padEnd(7)} ${one.state.padEnd(8)} ${who}${where && `  ${where}`}`;
      process.stdout.write(
        `${values.json === true ? JSON.stringify({ event, process: one }) : line}\n`,
      );
    };
    for (const event of ['add', 'remove', 'change'] as const) {
      monitor.on(event, (one: AudioProcess) => report(event, one));
    }
    return untilInterrupted(monitor);
  },
};

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
    one.devices.map((id) => names.get(id) ?? id).join(', '),
  ]);
  return table(['PID', 'PROGRAM', 'NAME', 'STATE', 'LEVEL', 'VOLUME', 'DEVICES'], rows);
}
