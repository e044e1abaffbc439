// A page in a headless Chromium that a test looks at, presses keys in and takes pictures of.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { WebSocket } from 'ws';

const options = [
  ...['--headless=new', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0'],
  ...['--autoplay-policy=no-user-gesture-required', '--use-fake-ui-for-media-stream'],
  // Its microphone beeps.
  ...['--use-fake-device-for-media-stream', '--window-size=1280,900'],
];

/**
 * Opens a page.
 * @param {string} url
 */
export async function openPage(url) {
  const profile = mkdtempSync(join(tmpdir(), 'patchcord-page-'));
  const browser = spawn('chromium', [...options, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  const control = await new Promise((resolve, reject) => {
    browser.on('error', reject);
    browser.on('close', () => reject(new Error(`chromium has ended: ${said}`)));
    browser.stderr.on('data', (text) => {
      said += String(text);
      const found = /DevTools listening on (ws:\S+)/.exec(said);
      if (found) resolve(found[1]);
    });
  });
  const list = await fetch(`http://${new URL(control).host}/json`);
  const target = (await list.json()).find(({ type }) => type === 'page');
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));

  /** @type {string[]} */
  const errors = [];
  const waiting = new Map();
  let last = 0;
  socket.on('message', (text) => {
    const { id, method, result, params } = JSON.parse(String(text));
    waiting.get(id)?.(result);
    waiting.delete(id);
    if (method === 'Runtime.exceptionThrown') {
      const { text: what, exception } = params.exceptionDetails;
      errors.push(exception?.description ?? what);
    }
    if (method === 'Log.entryAdded' && params.entry.level === 'error')
      errors.push(params.entry.text);
  });
  const send = (method, params = {}) =>
    new Promise((resolve) => {
      waiting.set(++last, resolve);
      socket.send(JSON.stringify({ id: last, method, params }));
    });
  for (const domain of ['Page', 'Runtime', 'Log']) await send(`${domain}.enable`);
  await send('Page.navigate', { url });

  return {
    /** The errors of the page. */
    errors,
    /**
     * The value of an expression in the page.
     * @param {string} expression
     */
    async value(expression) {
      const given = { expression, awaitPromise: true, returnByValue: true };
      return (await send('Runtime.evaluate', given)).result.value;
    },
    /** @param {string} key */
    async press(key) {
      const text = key.length === 1 ? key : undefined;
      await send('Input.dispatchKeyEvent', { type: 'keyDown', key, text });
      await send('Input.dispatchKeyEvent', { type: 'keyUp', key });
    },
    /** The page as PNG. */
    async picture() {
      const { data } = await send('Page.captureScreenshot', { format: 'png' });
      return Buffer.from(data, 'base64');
    },
    async close() {
      socket.close();
      const ended = new Promise((resolve) => browser.once('close', resolve));
      browser.kill();
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/**
 * How a server refuses a connection.
 * @param {string} url
 * @param {string} protocol
 * @returns {Promise<string>}
 */
export function refusalOf(url, protocol) {
  const socket = new WebSocket(url, protocol);
  return new Promise((resolve) => {
    socket.once('error', (error) => resolve(String(error)));
    socket.once('open', () => resolve('it is open'));
  });
}
