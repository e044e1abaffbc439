// Steers the mmdevapi.dll of test/windows/mmdevapi/ in this or any other process:
//
//     const windows = await steerMmdevapi();
//     Object.assign(process.env, windows.env);        // before the first audio object, or for a child process
//     await windows.send('play mic tone 1000 0.25');  // every process there is, and each one that comes
//     const here = await windows.process(process.pid);
//     await here.send('unplug mic');                  // this one alone
//
// Each process has its own world, made by PATCHCORD_MMDEVAPI_SCRIPT (a file of commands) or standard:
// microphone `mic`, output `speakers` (the defaults), and the cable from `cable-input` to `cable-output`;
// 48 kHz, stereo, f32. A command is one line of words; "..." holds spaces together. <d> is a device's id,
// durations are milliseconds, <f> is a format: <rate> <channels> s16|s24|s32|f32|s24in32|u8|f64.
//
//   play <d> tone <Hz> <gain> [channel <n>] [by <pid>]   the room of an input; a program that uses an output
//   play <d> noise <seed> <gain> [by <pid>]
//   play <d> silence [by <pid>]           zeros, from a program that keeps its stream open
//   stop <d> [by <pid>]
//   capture <d> runs|halted <pid>         a program's stream of an input
//   process <pid> <parent>                who started whom: process loopback takes trees
//   process-ended <pid>                   its sessions expire
//   session <d> <pid> name <name>|volume <0..1>|mute|unmute          of an output, by its user
//   session <d> <pid> protect|unprotect   process loopback gets zeros of it, though its meter moves
//   process-silence none|packets          taps opened from now on, while nothing plays
//   record <d> <frames>                   what an output plays, at most so many frames
//   recorded <d> <file>                   writes it as floats: ok <frames> <rate> <channels> <gaps>
//   standard                              adds the devices of the standard world, for a script's beginning
//   device <d> input|output <f> <name> [period <frames>] [of <origin>]
//                                         [mask <channel mask>] [form <EndpointFormFactor>]    remove <d>
//   cable <d> <d> <f> <render name> <capture name> [period <frames>] [of <origin>]
//                                         <origin>: <instance path> <driver's name> <hardware id>, each or -
//   replay <d> "<file>"                   adds a microphone that delivers as the stream did of which the trace tells:
//                                         a tone of 997 Hz at -12 dBFS, by its positions
//   rename <d> <name>
//   unplug <d>   plug <d>   state <d> active|disabled|notpresent|unplugged
//   default <d> console|communications    format <d> <f>    service stopped|running
//   drift <d> <ppm>   volume <d> <0..1>   mute <d>   unmute <d>
//   meter <d> <peak>|heard                the value of the endpoint's meter
//   exclusive <d> refused|allowed|busy [buffer <periods>]             refused, unless said
//   raw <d> refused|allowed               refused, unless said
//   echo <d> left|cancelled               whether its streams for calls are without echo; left, unless said
//   echo <d> reference                    ok <the output that a stream chose>
//   mix <d> accepted|refused              whether Initialize accepts the mix format
//   deny <d>   allow <d>                  opening it is E_ACCESSDENIED
//   die <d>   revive <d>                  delivers zeros
//   glitch <d> <frames>                   lost: device positions jump
//   stall <d>   resume <d>                no packets, no events
//   late <d> <ms>                         the next wake       jitter <d> <ms>   each one
//   stamps <d> <offset ms> [<jitter ms>]  stamps <d> wrong    flagged TIMESTAMP_ERROR
//   clock <d> <offset ms>                 the same for its IAudioClock
//   fail <d>|* <call> <HRESULT> [after <calls>] [times <calls>]
//                                         answers of a method, by its documented name:
//                                         fail mic IAudioClient::Start 0x88890004 times 1
//                                         <d> is process-loopback for ActivateAudioInterfaceAsync and its client,
//                                         whose activation alone fails as the call ActivateAudioInterface
//   hang <d>|* <call> [after <calls>]     does not return until mended
//   mend                                  no more of either
//   hanging                               ok <calls that do not return>
//   id <d>                                ok <the endpoint's id>
//   stats <d>                             ok <position> <wakes> <late> <lost> <underrun frames>
//   objects                               ok <COM objects that are alive>
//   resources                             ok <handles> <threads> of the process
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

/** @typedef {{ pid: number, send: (command: string) => Promise<string> }} SteeredProcess */

/**
 * @returns {Promise<{
 *   env: Record<string, string>,
 *   send: (command: string) => Promise<void>,
 *   process: (pid?: number) => Promise<SteeredProcess>,
 *   close: () => Promise<void>,
 * }>} `env`: for the programs to be steered. `send`: carried out by all, now or when they come; rejects
 *   when one refuses. `process`: resolves when that process (default: the first) has its first audio object
 *   and has carried out what was sent before; its `send` resolves to the figures after `ok`.
 */
export async function steerMmdevapi() {
  const said = [];
  const joined = new Map(); // pid -> Promise<SteeredProcess>
  const awaited = [];
  const sockets = new Set();

  const server = createServer((socket) => {
    sockets.add(socket);
    const { send, lines } = ask(socket);
    let pid, steered;
    lines.once('line', (line) => {
      const [, number, error] = /^hello (\d+)(?: error (.*))?$/.exec(line) ?? [];
      pid = Number(number);
      steered = error
        ? Promise.reject(new Error(`PATCHCORD_MMDEVAPI_SCRIPT: ${error}`))
        : Promise.all(said.map(send)).then(() => ({ pid, send }));
      steered.catch(() => {}); // process() tells
      joined.set(pid, steered);
      for (const waiting of awaited.splice(0)) {
        if (waiting.pid === undefined || waiting.pid === pid) waiting.resolve(steered);
        else awaited.push(waiting);
      }
      if (awaited.length === 0) server.unref();
    });
    socket.on('close', () => {
      sockets.delete(socket);
      if (joined.get(pid) === steered) joined.delete(pid);
    });
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  server.unref();

  return {
    env: { PATCHCORD_MMDEVAPI_PORT: String(server.address().port) },
    async send(command) {
      said.push(command);
      const sendTo = async (steered) => {
        try {
          await (await steered).send(command);
        } catch (error) {
          if (!error.gone) throw error; // who ends has nothing to refuse
        }
      };
      await Promise.all([...joined.values()].map(sendTo));
    },
    process(pid) {
      const found = pid === undefined ? joined.values().next().value : joined.get(pid);
      if (found) return found;
      server.ref();
      return new Promise((resolve) => awaited.push({ pid, resolve }));
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// Lines to one process, each with its answer, in order. Keeps this process alive only while it waits.
function ask(socket) {
  const answers = [];
  const settle = () => {
    if (answers.length <= 1) socket.unref();
    return answers.shift();
  };
  const gone = (command) =>
    Object.assign(new Error(`${command}: the process is gone`), { gone: true });
  const lines = createInterface({ input: socket });
  lines.on('error', () => {}); // 'close' follows
  socket.unref();
  socket.on('error', () => socket.destroy());
  // Wine does not always report that the other end was reset, as by a process that ended in the midst of
  // a command. An answer takes no time, so silence for so long is an end.
  socket.setTimeout(5000, () => answers.length > 0 && socket.destroy());
  socket.on('close', () => {
    while (answers.length > 0) {
      const { command, reject } = settle();
      reject(gone(command));
    }
  });
  lines.once('line', () => {
    lines.on('line', (line) => {
      const { command, resolve, reject } = settle();
      const [, verdict, rest] = /^(\w+) ?(.*)$/.exec(line);
      if (verdict === 'ok') resolve(rest);
      else reject(new Error(`${command}: ${rest}`));
    });
  });
  const send = (command) =>
    new Promise((resolve, reject) => {
      if (socket.destroyed) return reject(gone(command));
      answers.push({ command, resolve, reject });
      socket.ref();
      socket.write(`${command}\n`);
    });
  return { send, lines };
}
