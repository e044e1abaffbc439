// The page of examples/monitor in a real browser. With PATCHCORD_PICTURES=FOLDER it leaves pictures of both themes.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

import { describe, expect, it, onTestFinished } from 'vitest';

import { listAudioProcesses, listDevices, MicSource } from 'patchcord';

import { openPage, refusalOf } from './browser-page.mjs';
import { runExample } from './run-example.js';
import { openSystem } from './system.js';
import { until } from './wait.js';

function hasChromium(): boolean {
  if (!spawnSync('chromium', ['--version']).error) return true;
  const absent = 'absent: chromium (not in PATH): the monitor did not run';
  console.log(absent);
  if (process.env.PATCHCORD_REQUIRE_ALL) throw new Error(absent);
  return false;
}

describe.runIf(process.env.PATCHCORD_TEST_BACKEND === 'pulse' && hasChromium())(
  'the monitor',
  () => {
    it(
      'shows a meeting, obeys the keyboard, plays what it shows, and speaks',
      { timeout: 90_000 },
      async () => {
        const system = await openSystem();
        const folder = mkdtempSync(join(tmpdir(), 'patchcord-monitor-'));
        onTestFinished(async () => {
          await system.close();
          rmSync(folder, { recursive: true, force: true });
        });
        await system.play('microphone', 1000);
        await system.play('speakers', 3000);
        const run = runExample(folder, 'monitor/monitor.mjs', '--port', '0', '--out', 'call.wav');
        const address = /http:\/\/localhost:\d+\//;
        await until(() => address.test(run.output), `the address in: ${run.output}`);
        const url = address.exec(run.output)![0];

        // Another site does not know the key of the page.
        expect(await refusalOf(`${url.replace('http', 'ws')}live`, 'guess')).toContain('401');

        const page = await openPage(url);
        onTestFinished(() => page.close());
        const text = (selector: string): Promise<string> =>
          page.value(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ''`);
        const shows = (selector: string, what: RegExp): Promise<void> =>
          until(async () => what.test(await text(selector)), `${selector} to show ${what}`);
        const side = (name: string, part: string): string => `.lane[data-name=${name}] .${part}`;

        for (const name of ['mic', 'system']) {
          await shows(side(name, 'state'), /^sound$/);
          await shows(side(name, 'peak'), /^-1[12]\.\d$/);
          expect(await text(side(name, 'lag'))).toMatch(/^[1-9]\d* ms$/);
        }
        const theme = (): Promise<string> => page.value('document.documentElement.dataset.theme');
        if ((await theme()) === 'light') await page.press('t');
        // The brightest row of each spectrogram is that of its tone.
        await until(
          async () => (await page.value(`performance.now()`)) > 4000,
          'some seconds of sound',
        );
        for (const [name, pitch] of [
          ['mic', 1000],
          ['system', 3000],
        ] as const) {
          const share = await page.value(`(() => {
        const canvas = document.querySelector('${side(name, 'spectrum')}');
        const { width, height } = canvas;
        const { data } = canvas.getContext('2d').getImageData(width - 20, 0, 1, height);
        let most = [0, 0];
        for (let y = 0; y < height; y++) {
          const sum = data[4 * y] + data[4 * y + 1] + data[4 * y + 2];
          if (sum > most[1]) most = [y, sum];
        }
        return most[0] / height;
      })()`);
          const expected = 1 - Math.log(pitch / 60) / Math.log(16_000 / 60);
          expect(Math.abs(share - expected)).toBeLessThan(0.05);
        }
        const pictures = process.env.PATCHCORD_PICTURES;
        if (pictures) writeFileSync(join(pictures, 'monitor-dark.png'), await page.picture());

        await page.press('2');
        await shows('#mode [aria-pressed=true]', /^You$/);
        await page.press('1');
        await shows('#mode [aria-pressed=true]', /^Both$/);
        await page.press(' ');
        await shows('#status', /^paused$/);
        await page.press(' ');
        await shows('#log', /\d+ ms: pause/);
        await page.press('t');
        expect(await theme()).toBe('light');
        if (pictures) writeFileSync(join(pictures, 'monitor-light.png'), await page.picture());

        await page.press('l');
        await shows('#listen [aria-pressed=true]', /^You$/);
        const isBrowser = ({ name }: { name: string }): boolean => /chrom/i.test(name);
        await until(async () => (await listAudioProcesses()).some(isBrowser), 'the page to play');
        await page.press('s');
        await shows('#status', /speaking into “Monitor page”/);
        const microphone = (await listDevices({ flow: 'input' })).find(
          ({ name }) => name === 'Monitor page',
        );
        const heard = await MicSource.open({ device: microphone!.id });
        await until(() => heard.level().peakDb > -40, 'the beep of the page');
        await heard.close();
        expect(page.errors).toEqual([]);

        process.kill(run.pid, 'SIGINT');
        await shows('#status', /the meeting has ended/);
        expect(await run.ended, run.output).toBe(0);
      },
    );
  },
);
