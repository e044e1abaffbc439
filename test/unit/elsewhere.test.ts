// When a loopback reports sound at other outputs, to the millisecond of a manual clock.
import { expect, it } from 'vitest';

import { LoopbackSource } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

it('is reported once for each change, after pauses of up to 2 s not at all, and only while somebody listens', async () => {
  const audio = new SimulatedAudio({ clock: 'manual' });
  audio.addDevice({ id: 'headset', flow: 'output' });
  const loopback = await LoopbackSource.open({ backend: audio, device: 'speakers' });
  loopback.resume();
  const reports: string[] = [];
  const listener = ({ devices }: { devices: { id: string }[] }) =>
    void reports.push(devices.map(({ id }) => id).join());
  loopback.on('elsewhere', listener);
  audio.device('speakers').play(tone(440));
  const quiet = audio
    .addProcess({ name: 'quiet.exe' })
    .play(tone(440, { gain: 0 }), { device: 'headset' });
  await audio.advance(3000);
  expect(reports).toEqual([]);

  quiet.play(tone(440), { device: 'headset' });
  await audio.advance(600);
  quiet.play(tone(440, { gain: 0 }), { device: 'headset' });
  await audio.advance(1500);
  quiet.play(tone(440), { device: 'headset' });
  await audio.advance(3000);
  expect(reports).toEqual(['headset']);

  audio.device('cable-input').play(tone(440));
  await audio.advance(600);
  expect(reports).toEqual(['headset', 'cable-input,headset']);
  await loopback.setDevice('headset');
  await audio.advance(600);
  // The output that the stream has left counts now.
  expect(reports[2].split(',').sort()).toEqual(['cable-input', 'speakers']);
  for (const id of ['speakers', 'headset', 'cable-input']) audio.device(id).stop();
  await audio.advance(1500);
  expect(reports).toHaveLength(3);
  await audio.advance(1500);
  expect(reports[3]).toBe('');

  loopback.off('elsewhere', listener);
  audio.device('speakers').play(tone(440));
  await audio.advance(1000);
  expect(reports).toHaveLength(4);
  loopback.on('elsewhere', listener);
  await audio.advance(1000);
  expect(reports[4]).toBe('speakers');
  await loopback.close();
});
