// Which programs return to an output that was created again, after their server was started again: programs of this
// system keep their ids, programs in containers get others.
import { expect, it } from 'vitest';

import { PlayingPrograms } from '../../lib/devices/playing-programs.js';
import type { NativeHost, NativeProcess } from '../../lib/engine/native.js';

function program(id: [pid: number, startTime: bigint], of: Partial<NativeProcess>): NativeProcess {
  const [pid, startTime] = id;
  return {
    ...{ pid, startTime, root: { pid, startTime }, ancestors: [], name: 'pacat', path: '' },
    ...{ displayName: 'Robot', state: 'active', volume: 1, muted: false, devices: ['speaker'] },
    ...of,
  };
}

/** The ids of the programs that are moved back when `before` played to the output, and `after` play elsewhere. */
async function broughtBack(before: NativeProcess[], after: NativeProcess[]): Promise<bigint[]> {
  let present = before;
  const moved: bigint[] = [];
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const programs = new PlayingPrograms(
    {
      watchProcesses: () => 1,
      unwatchProcesses() {},
      listProcesses: () => Promise.resolve(present),
      listDevices: () => Promise.resolve([{ id: 'speaker' }]),
      moveProcesses: (all: NativeProcess[]) => {
        moved.push(...all.map(({ startTime }) => startTime));
        return Promise.resolve(all);
      },
    } as unknown as NativeHost,
    () => Promise.resolve(),
  );
  programs.follow('speaker');
  await turn();
  present = after.map((one) => ({ ...one, devices: ['headset'] }));
  programs.follow('speaker');
  await turn();
  programs.stop();
  return moved;
}

const inside = { origin: 'box 7' };

it('a program in a container returns under another id, one of this system under its own', async () => {
  const before = [program([0, -5n], inside), program([812, 99n], {})];
  const after = [program([0, -9n], inside), program([812, 99n], {}), program([813, 100n], {})];
  expect(await broughtBack(before, after)).toEqual([-9n, 99n]);
});

it.each([
  ['has its old id', program([0, -5n], { ...inside, displayName: 'Another' })],
  ['is in another container', program([0, -9n], { origin: 'other 7' })],
  ['is another program of the container', program([0, -9n], { ...inside, name: 'mpv' })],
])('a program that %s does not take its place', async (_what, other) => {
  expect(await broughtBack([program([0, -5n], inside)], [other])).toEqual([]);
});

it('several programs that look alike return only under their old ids', async () => {
  const alike = [program([0, -5n], inside), program([0, -6n], { ...inside, devices: ['headset'] })];
  expect(await broughtBack(alike, [program([0, -9n], inside)])).toEqual([]);
  expect(await broughtBack(alike, alike)).toEqual([-5n]);
  const [one] = alike;
  expect(await broughtBack([one], [program([0, -8n], inside), program([0, -9n], inside)])).toEqual(
    [],
  );
});
