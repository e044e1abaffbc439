const quietestDb = -60;
const cells = 12;
const drawMs = 100;

type Colour = 'green' | 'yellow' | 'red' | 'dim' | 'bold';
const codes: Record<Colour, [number, number]> = {
  green: [32, 39],
  yellow: [33, 39],
  red: [31, 39],
  dim: [2, 22],
  bold: [1, 22],
};

/** Whether a stream shows colours: a terminal, unless `NO_COLOR` is set (https://no-color.org). */
function showsColour(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR, FORCE_COLOR } = process.env;
  if (NO_COLOR) return false;
  return FORCE_COLOR ? FORCE_COLOR !== '0' : stream.isTTY && process.env.TERM !== 'dumb';
}

/** Text with a colour, if the stream shows colours. */
export function paint(colour: Colour, text: string, stream = process.stdout): string {
  if (!showsColour(stream)) return text;
  const [on, off] = codes[colour];
  return `\x1b[${on}m${text}\x1b[${off}m`;
}

/** Lines with the cells of each column below each other. Empty columns are left out. */
export function table(heads: readonly string[], rows: readonly string[][]): string {
  const used = heads.map((_, k) => rows.some((row) => row[k] !== ''));
  const pick = (row: readonly string[]): string[] => row.filter((_, k) => used[k]);
  const all = [pick(heads), ...rows.map(pick)];
  const widths = pick(heads).map((_, k) => Math.max(...all.map((row) => row[k].length)));
  const line = (row: string[]): string =>
    row
      .map((cell, k) => cell.padEnd(widths[k]))
      .join('  ')
      .trimEnd();
  const [head, ...lines] = all.map(line);
  return [paint('bold', head), ...lines, ''].join('\n');
}

/** A level as a bar from -60 to 0 dBFS, and in figures. */
export function meter(db: number): string {
  const full = Math.round(cells * Math.min(1, Math.max(0, 1 - db / quietestDb)));
  const figures = Number.isFinite(db) ? db.toFixed(0) : '-inf';
  return `${'█'.repeat(full).padEnd(cells, '·')} ${figures.padStart(4)} dB`;
}

/** Seconds as a clock shows them. */
export function clock(seconds: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const hours = seconds >= 3600 ? `${Math.floor(seconds / 3600)}:` : '';
  return `${hours}${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** Messages, and below them one line that is redrawn in place on a terminal, and absent elsewhere. */
export class Terminal {
  readonly #out: NodeJS.WriteStream;
  #read: (() => string) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** Prints a line above the status line. */
  print(text: string): void {
    this.#out.write(`${this.#read ? '\r\x1b[K' : ''}${text}\n`);
    this.#draw();
  }

  /** Shows a status line until `stop()`. */
  status(read: () => string): void {
    if (!this.#out.isTTY) return;
    this.#read = read;
    this.#timer = setInterval(() => this.#draw(), drawMs).unref();
    this.#draw();
  }

  /** Leaves the status line as it is now, and ends it. */
  stop(): void {
    if (!this.#read) return;
    clearInterval(this.#timer);
    this.#draw();
    this.#read = undefined;
    this.#out.write('\n');
  }

  #draw(): void {
    if (!this.#read) return;
    // A line that is longer than the terminal would be wrapped, and could not be redrawn.
    const text = [...this.#read()].slice(0, (this.#out.columns || 80) - 1).join('');
    this.#out.write(`\r${text}\x1b[K`);
  }
}
