import { DeviceMonitor, listDevices, type AudioDevice } from '../index.js';
import { untilInterrupted } from './until-interrupted.js';
import type { Command } from './command.js';
import { table } from './terminal.js';

export const devices: Command = {
  name: 'devices',
  summary: 'lists microphones and outputs',
  usage: '[OPTIONS]',
  options: {
    json: { type: 'boolean', help: 'prints JSON' },
    watch: { type: 'boolean', help: 'continues, and reports changes until Ctrl-C' },
  },
  examples: ['devices', 'devices --json', 'devices --watch'],
  async run({ values, backend }) {
    if (values.watch !== true) {
      const all = await listDevices({ backend });
      if (values.json === true) process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
      else process.stdout.write(describe(all));
      return 0;
    }
    const monitor = new DeviceMonitor({ backend });
    const report = (event: string, device: AudioDevice): void => {
      const line = `${event.padEnd(8)} ${device.flow.padEnd(6)} ${device.name}`;
      process.stdout.write(`${values.json === true ? JSON.stringify({ event, device }) : line}\n`);
    };
    for (const event of ['add', 'remove', 'change'] as const) {
      monitor.on(event, (device: AudioDevice) => report(event, device));
    }
    monitor.on('defaultChange', ({ device }) => device && report('default', device));
    return untilInterrupted(monitor);
  },
};

function describe(all: readonly AudioDevice[]): string {
  if (all.length === 0) return 'no devices\n';
  const rows = all.map((device) => {
    const { sampleRate, channels } = device.format;
    const notes = [
      ...device.defaultRoles.map((role) => (role === 'console' ? 'default' : `default for calls`)),
      ...(device.handsFree ? ['hands-free'] : []),
      ...(device.standIn ? ['plays to nobody'] : []),
    ];
    return [
      device.flow,
      device.name,
      `${sampleRate} Hz, ${channels} ch`,
      device.transport === 'unknown' ? '' : device.transport,
      [...new Set(notes)].join(', '),
      device.id,
    ];
  });
  return table(['FLOW', 'NAME', 'FORMAT', 'TRANSPORT', 'NOTES', 'ID'], rows);
}
