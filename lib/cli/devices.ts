import { DeviceMonitor, listDevices, type AudioDevice } from '../index.js';
import type { Command } from './command.js';
import { listOptions, printChange, printList, untilInterrupted } from './lists.js';
import { table } from './terminal.js';

export const devices: Command = {
  name: 'devices',
  summary: 'lists microphones and outputs',
  usage: '[OPTIONS]',
  options: listOptions,
  examples: ['devices', 'devices --json', 'devices --watch'],
  async run(invocation) {
    const { values, backend } = invocation;
    if (values.watch !== true)
      return printList(invocation, await listDevices({ backend }), describe);
    const monitor = new DeviceMonitor({ backend });
    const report = (event: string, device: AudioDevice): void => {
      const line = `${event.padEnd(8)} ${device.flow.padEnd(6)} ${device.name}`;
      printChange(invocation, { event, device }, line);
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
