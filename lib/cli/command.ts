import { parseArgs, type ParseArgsConfig } from 'node:util';

import type { BackendName, SampleFormat } from '../index.js';
import { Terminal } from './terminal.js';

/** The types of samples. */
export const sampleFormats: readonly SampleFormat[] = ['s16', 's24', 's32', 'f32'];

const backendNames: readonly BackendName[] = ['pulse', 'wasapi', 'simulated'];

/** The options of a command, as `parseArgs()` takes them, each with its line of help. */
export type CommandOptions = Record<string, NonNullable<ParseArgsConfig['options']>[string] & Help>;

interface Help {
  /** The effect of the option. */
  help: string;
  /** The word for its value. */
  value?: string;
}

/** The arguments and the surroundings of a command. */
export interface Invocation {
  values: Record<string, string | boolean | undefined>;
  positionals: string[];
  backend: BackendName | undefined;
  terminal: Terminal;
}

/** A command of `npx patchcord`. */
export interface Command {
  name: string;
  summary: string;
  /** The arguments behind the name, for the line of usage. */
  usage: string;
  /** More about the command, after its options. */
  details?: string;
  options: CommandOptions;
  examples: readonly string[];
  /** Resolves with the exit code. */
  run(invocation: Invocation): Promise<number>;
}

/** Arguments that make no sense: exit code 2, and a line that says where to look. */
export class UsageError extends Error {}

const everyOption: CommandOptions = {
  backend: { type: 'string', value: 'NAME', help: `the audio system: ${backendNames.join(', ')}` },
  help: { type: 'boolean', short: 'h', help: 'shows this text' },
};

/** Runs a command with its arguments. Resolves with the exit code. */
export async function runCommand(command: Command, args: string[]): Promise<number> {
  const options = { ...command.options, ...everyOption };
  const { values, positionals } = parse(args, options);
  if (values.help === true) {
    process.stdout.write(helpOf(command));
    return 0;
  }
  const backend = oneOf({ values }, 'backend', backendNames);
  return command.run({ values, positionals, backend, terminal: new Terminal(process.stderr) });
}

function parse(
  args: string[],
  options: CommandOptions,
): Pick<Invocation, 'values' | 'positionals'> {
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    return { values: values as Invocation['values'], positionals };
  } catch (error) {
    const known = Object.keys(options).map((name) => `--${name}`);
    const wrong = /'(--?[^\s'=]+)/.exec((error as Error).message)?.[1];
    const close = wrong && known.find((name) => isClose(name, wrong));
    const [all] = (error as Error).message.split('. ');
    // The second line of Node's text repeats the first one.
    const first = all.replace(/ is ambiguous[\s\S]*/, ' begins with a dash: write --NAME=-VALUE');
    throw new UsageError(close && close !== wrong ? `${first}. Did you mean '${close}'?` : first);
  }
}

/** A number of an option within a range. */
export function numberOf(
  { values }: Invocation,
  name: string,
  lowest: number,
  highest: number,
): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text !== '' && number >= lowest && number <= highest) return number;
  throw new UsageError(`--${name} must be a number from ${lowest} to ${highest}, not '${text}'`);
}

/** The text of an option, which must be one of those given. */
export function oneOf<T extends string>(
  { values }: Pick<Invocation, 'values'>,
  name: string,
  all: readonly T[],
): T | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const found = all.find((one) => one === text);
  if (found) return found;
  throw new UsageError(`--${name} must be one of ${all.join(', ')}, not '${text}'`);
}

/** The text of an option. */
export function textOf({ values }: Invocation, name: string): string | undefined {
  const text = values[name];
  if (text === '') throw new UsageError(`--${name} must not be empty`);
  return typeof text === 'string' ? text : undefined;
}

export function helpOf({ name, summary, usage, details, options, examples }: Command): string {
  const lines = Object.entries({ ...options, ...everyOption }).map(([option, { value, help }]) => {
    const left = `  --${option}${value ? ` ${value}` : ''}`;
    return `${left.padEnd(22)} ${help}`;
  });
  return [
    `npx patchcord ${name}: ${summary}`,
    `Usage: npx patchcord ${name} ${usage}`.trimEnd(),
    lines.join('\n'),
    ...(details ? [details] : []),
    `Examples:\n${examples.map((one) => `  npx patchcord ${one}`).join('\n')}`,
    '',
  ].join('\n\n');
}

/** Whether one word is at most two letters from the other. */
export function isClose(a: string, b: string): boolean {
  let row = [...Array(b.length + 1).keys()];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length] <= 2;
}
