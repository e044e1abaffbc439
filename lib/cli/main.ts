// The program `npx patchcord`.
import { AudioError } from '../index.js';
import { helpOf, isClose, runCommand, UsageError, type Command } from './command.js';
import { devices } from './devices.js';
import { doctor } from './doctor.js';
import { play } from './play.js';
import { processes } from './processes.js';
import { record } from './record.js';
import { version } from './version.js';

const commands: readonly Command[] = [doctor, devices, processes, record, play];

function overview(): string {
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`);
  return `patchcord ${version}: records and plays audio, and finds out what a machine can do

Usage: npx patchcord COMMAND [OPTIONS]

${lines.join('\n')}

npx patchcord COMMAND --help shows the options and examples of a command.

Exit codes: 0 success; 1 failure; 2 wrong arguments; 130 a second Ctrl-C.
`;
}

async function main([name, ...args]: string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const asked = commands.find((one) => one.name === args[0]);
    (name === undefined ? process.stderr : process.stdout).write(
      asked ? helpOf(asked) : overview(),
    );
    return name === undefined ? 2 : 0;
  }
  if (name === '--version') {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  const command = commands.find((one) => one.name === name);
  if (command) return runCommand(command, args);
  const close = commands.find((one) => isClose(one.name, name));
  throw new UsageError(
    `there is no command '${name}'${close ? `. Did you mean '${close.name}'?` : ''}`,
  );
}

// The reader of standard output may have all it needs, as `head` has.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`patchcord: standard output cannot be written: ${error.message}\n`);
  process.exit(1);
});

const [command] = process.argv.slice(2);
main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: Error) => {
    process.stderr.write(`patchcord: ${error.message}\n`);
    if (error instanceof UsageError) {
      const known = commands.some(({ name }) => name === command);
      process.stderr.write(`Try 'npx patchcord ${known ? `${command} ` : ''}--help'.\n`);
      process.exitCode = 2;
    } else {
      // An error that is neither of the audio system nor of a file is a defect of this program.
      const isExpected = error instanceof AudioError || 'code' in error;
      if (!isExpected) process.stderr.write(`${error.stack ?? ''}\n`);
      process.exitCode = 1;
    }
  },
);
