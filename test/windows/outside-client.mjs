// For tests that run in Wine: `connectOutside()` returns the functions of outside.mjs, carried out on
// the Linux side. `undefined` where the variable PATCHCORD_OUTSIDE (host:port) is not set.
import { connect } from 'node:net';
import process from 'node:process';
import { createInterface } from 'node:readline';

const commands = ['play', 'stop', 'record', 'removeDevice', 'restoreDevice', 'setDefault'];

/** @returns {Promise<import('./outside.mjs').Outside | undefined>} */
export async function connectOutside(address = process.env.PATCHCORD_OUTSIDE) {
  if (!address) return undefined;
  const [host, port] = address.split(':');
  const socket = connect(Number(port), host);
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });

  const waiting = new Map();
  let count = 0;
  createInterface({ input: socket }).on('line', (line) => {
    const { id, result, error } = JSON.parse(line);
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) resolve(result);
    else reject(new Error(`outside: ${error}`));
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    for (const { reject } of waiting.values()) reject(new Error('outside: the connection is gone'));
    waiting.clear();
  });

  const ask = (command, options) =>
    new Promise((resolve, reject) => {
      const id = ++count;
      waiting.set(id, { resolve, reject });
      socket.write(`${JSON.stringify({ id, command, options })}\n`);
    });
  const client = Object.fromEntries(
    commands.map((name) => [name, (options) => ask(name, options)]),
  );
  // Players continue: they belong to the server.
  return { ...client, close: async () => void socket.destroy() };
}
