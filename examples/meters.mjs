// Level meters. On a terminal they are redrawn in place; elsewhere they print a line each second.

const quietestDb = -60;
const cells = 40;

/**
 * @typedef {{ peakDb: number, rmsDb: number }} Level dBFS; silence is -Infinity
 * @typedef {Record<string, Level>} Levels
 */

/**
 * RMS as a bar from -60 to 0 dBFS, the peak as a mark on it.
 *
 * @param {Level} level
 * @returns {string} always of the same width
 */
export function meterBar({ peakDb, rmsDb }) {
  const cell = (db) => Math.round(cells * Math.min(1, Math.max(0, 1 - db / quietestDb)));
  const bar = [...'█'.repeat(cell(rmsDb)).padEnd(cells, '·')];
  if (cell(peakDb) > 0) bar[cell(peakDb) - 1] = '|';
  return bar.join('');
}

/** @param {number} db @returns {string} of six characters */
export function decibels(db) {
  return (Number.isFinite(db) ? db.toFixed(1) : '-inf').padStart(6);
}

export class Meters {
  #out;
  #read;
  #start = performance.now();
  #drawn = 0;
  #timer;

  /**
   * @param {() => Levels} read called for every drawing
   * @param {NodeJS.WriteStream} out
   */
  constructor(read, out = process.stdout) {
    this.#read = read;
    this.#out = out;
    this.#timer = setInterval(() => this.#draw(), out.isTTY ? 100 : 1000).unref();
  }

  stop() {
    clearInterval(this.#timer);
    if (this.#out.isTTY) this.#draw();
  }

  #draw() {
    const levels = Object.entries(this.#read());
    const time = `${((performance.now() - this.#start) / 1000).toFixed(1)} s`.padStart(8);
    if (!this.#out.isTTY) {
      const texts = levels.map(([name, { rmsDb }]) => `${name} ${decibels(rmsDb)}`);
      this.#out.write(`${time}  ${texts.join('   ')}  dBFS\n`);
      return;
    }
    // Moves up over the last drawing. Each line is cleared, because it may have been longer.
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : '';
    const lines = levels.map(([name, level], i) => {
      const head = `${i === 0 ? time : ' '.repeat(8)}  ${name.padEnd(10)}`;
      return `\x1b[2K${head} ${meterBar(level)} ${decibels(level.rmsDb)} dBFS\n`;
    });
    this.#out.write(up + lines.join(''));
    this.#drawn = lines.length;
  }
}
