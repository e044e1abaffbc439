/** A sine fitted to samples: `dc + amplitude * cos(omega * (n - center) + phase)`. */
export interface SineFit {
  /** Radians per frame. */
  omega: number;
  amplitude: number;
  /** At `center`, radians. */
  phase: number;
  center: number;
  dc: number;
  /** Mean square of what the sine leaves over. */
  residual: number;
}

/**
 * Least squares over the frames `from` to `to`: the frequency stays as given, or is refined from a
 * start that must lie within about half a cycle over the whole length (IEEE 1057, four parameters).
 */
export function fitSine(
  samples: ArrayLike<number>,
  from: number,
  to: number,
  startOmega: number,
  refine: boolean,
): SineFit {
  const center = (from + to - 1) / 2;
  const half = (to - from) / 2;
  let omega = startOmega;
  const sine = (i: number, columns: Float64Array): void => {
    columns[0] = Math.cos(omega * (i - center));
    columns[1] = Math.sin(omega * (i - center));
    columns[2] = 1;
  };
  let [a, b, dc] = solve(normal(samples, from, to, 3, sine));
  for (let round = 0; refine && round < 8; round++) {
    // The fourth column is the model's derivative by omega, scaled to the size of the others.
    const equations = normal(samples, from, to, 4, (i, columns) => {
      sine(i, columns);
      columns[3] = ((b * columns[0] - a * columns[1]) * (i - center)) / half;
    });
    const [nextA, nextB, nextDc, change] = solve(equations);
    [a, b, dc] = [nextA, nextB, nextDc];
    omega += change / half;
    if (Math.abs(change) < 1e-12) break;
  }
  [a, b, dc] = solve(normal(samples, from, to, 3, sine));
  let residual = 0;
  for (let i = from; i < to; i++) {
    const angle = omega * (i - center);
    residual += (samples[i] - a * Math.cos(angle) - b * Math.sin(angle) - dc) ** 2;
  }
  residual /= to - from;
  return { omega, amplitude: Math.hypot(a, b), phase: Math.atan2(-b, a), center, dc, residual };
}

/** The fitted phase at any frame, not reduced to one turn. */
export function phaseAt(fit: SineFit, frame: number): number {
  return fit.phase + fit.omega * (frame - fit.center);
}

export function valueAt(fit: SineFit, frame: number): number {
  return fit.dc + fit.amplitude * Math.cos(phaseAt(fit, frame));
}

/** The normal equations of a linear model, one row per column, the right side last. */
function normal(
  samples: ArrayLike<number>,
  from: number,
  to: number,
  size: number,
  fill: (frame: number, columns: Float64Array) => void,
): number[][] {
  const rows = Array.from({ length: size }, () => new Array<number>(size + 1).fill(0));
  const columns = new Float64Array(size);
  for (let i = from; i < to; i++) {
    fill(i, columns);
    for (let j = 0; j < size; j++) {
      for (let k = j; k < size; k++) rows[j][k] += columns[j] * columns[k];
      rows[j][size] += columns[j] * samples[i];
    }
  }
  for (let j = 1; j < size; j++) for (let k = 0; k < j; k++) rows[j][k] = rows[k][j];
  return rows;
}

/** Gauss with pivots; an unknown that nothing determines is 0. */
function solve(rows: number[][]): number[] {
  const size = rows.length;
  for (let j = 0; j < size; j++) {
    const pivot = rows.reduce(
      (best, row, i) => (i >= j && Math.abs(row[j]) > Math.abs(rows[best][j]) ? i : best),
      j,
    );
    [rows[j], rows[pivot]] = [rows[pivot], rows[j]];
    if (Math.abs(rows[j][j]) < 1e-12) continue;
    for (let i = 0; i < size; i++) {
      if (i === j) continue;
      const factor = rows[i][j] / rows[j][j];
      for (let k = j; k <= size; k++) rows[i][k] -= factor * rows[j][k];
    }
  }
  return rows.map((row, j) => (Math.abs(row[j]) < 1e-12 ? 0 : row[size] / row[j]));
}
