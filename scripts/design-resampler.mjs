// Designs the low-pass filters of the resampler and writes src/core/signal/resampler_prototypes.h:
//
//     node scripts/design-resampler.mjs
//
// Frequencies are in units of the lower rate, so the stopband begins at 0.5; times in its periods. The response of
// h(t) = sum over m of b[m] * cos(2 pi m t / support), within half the support, is a sum of shifted sincs, linear
// in b: least squares over a grid of frequencies, whose weights are raised where the error is largest (Lawson's
// algorithm, 1961) until it is the same everywhere. Unlike a windowed sinc, which is as precise in the passband as in
// the stopband, this spends nothing on ripple that nobody can measure, and is a quarter shorter or more.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const rippleDb = 0.0008;
const far = 6; // beyond it the response falls by itself
const farFrom = 0.62;

// `stopDb` at 0.5; `farDb` from `farFrom` on, falling 6 dB an octave, because as many images as the ratio has phases
// add up to the noise. `support` is the least that gives this.
const specs = [
  { name: 'FixedLow', pass: 0.8, stopDb: -104, farDb: -132, support: 61 },
  { name: 'FixedMedium', pass: 0.875, stopDb: -127, farDb: -144, support: 106 },
  { name: 'FixedHigh', pass: 0.913, stopDb: -142, farDb: -144, support: 158 },
  { name: 'FixedBest', pass: 0.95, stopDb: -143, farDb: -150, support: 280 },
  { name: 'VariableLow', pass: 0.75, stopDb: -104, farDb: -132, support: 51 },
  { name: 'VariableMedium', pass: 0.8334, stopDb: -125, farDb: -144, support: 80 },
  { name: 'VariableHigh', pass: 0.8334, stopDb: -142, farDb: -144, support: 84 },
  { name: 'VariableBest', pass: 0.9071, stopDb: -142, farDb: -144, support: 149 },
];

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const between = (from, to, count) =>
  Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));

function grid({ pass, support, stopDb, farDb }) {
  const ripple = 10 ** (rippleDb / 20) - 1;
  const passband = between(0, pass / 2, Math.round(pass * support * 3)).map((f) => ({
    f,
    wanted: 1,
    // The phases are made to agree about DC, so the ripple is the deviation from DC.
    weight: f === 0 ? 30 / ripple : 1 / ripple,
  }));
  const near = between(0.5, 0.8, Math.round(support * 2.4));
  const beyond = between(0.8, far, Math.round((far - 0.8) * support * 1.5));
  const stopband = [...near, ...beyond].map((f) => {
    const way = Math.min(1, (f - 0.5) / (farFrom - 0.5));
    const db = stopDb + way * (farDb - stopDb) - 20 * Math.log10(Math.max(1, f / farFrom));
    return { f, wanted: 0, weight: 10 ** (-db / 20) };
  });
  // A step at either end would reach far: in rows of few phases it is a tap that only some rows have.
  const end = { f: null, wanted: 0, weight: 1e9 };
  return [...passband, ...stopband, end];
}

/** The contribution of b[m] to the response at f, or, without f, to the last tap. */
function share(f, m, support) {
  if (f === null) return (m % 2 === 0 ? 1 : -1) / support;
  return (sinc(support * f - m) + sinc(support * f + m)) / 2;
}

/** min |A x - b| by Householder's reflections; the columns of A, then b. */
function leastSquares(columns) {
  const unknowns = columns.length - 1;
  const height = columns[0].length;
  const diagonal = new Float64Array(unknowns);
  for (let k = 0; k < unknowns; k++) {
    const reflector = columns[k];
    let square = 0;
    for (let i = k; i < height; i++) square += reflector[i] ** 2;
    const head = -Math.sign(reflector[k] || 1) * Math.sqrt(square);
    const scale = square - reflector[k] * head;
    reflector[k] -= head;
    diagonal[k] = head;
    for (let j = k + 1; j <= unknowns; j++) {
      const column = columns[j];
      let dot = 0;
      for (let i = k; i < height; i++) dot += reflector[i] * column[i];
      dot /= scale;
      for (let i = k; i < height; i++) column[i] -= dot * reflector[i];
    }
  }
  const x = new Float64Array(unknowns);
  for (let k = unknowns - 1; k >= 0; k--) {
    let rest = columns[unknowns][k];
    for (let j = k + 1; j < unknowns; j++) rest -= columns[j][k] * x[j];
    x[k] = rest / diagonal[k];
  }
  return x;
}

function design(spec) {
  const points = grid(spec);
  const unknowns = (spec.support >> 1) + 3;
  const response = points.map(({ f }) =>
    Float64Array.from({ length: unknowns }, (_, m) => share(f, m, spec.support)),
  );
  let importance = new Float64Array(points.length).fill(1);
  let best = { worst: Infinity };
  for (let round = 0; round < 30; round++) {
    const weights = points.map(({ weight }, i) => weight * Math.sqrt(importance[i]));
    const columns = Array.from({ length: unknowns + 1 }, (_, m) =>
      Float64Array.from(
        points,
        ({ wanted }, i) => (m < unknowns ? response[i][m] : wanted) * weights[i],
      ),
    );
    const cosines = leastSquares(columns);
    const errors = points.map(({ wanted, weight }, i) => {
      const sum = response[i].reduce((all, value, m) => all + value * cosines[m], 0);
      return Math.abs(sum - wanted) * weight;
    });
    const worst = Math.max(...errors);
    if (worst < best.worst) best = { worst, cosines };
    importance = importance.map((one, i) => one * (errors[i] / worst + 1e-3));
    importance[points.length - 1] = 1;
    const mean = importance.reduce((a, b) => a + b) / importance.length;
    importance = importance.map((one) => one / mean);
  }
  console.log(`${spec.name}: ${(20 * Math.log10(best.worst)).toFixed(1)} dB from its figures`);
  if (best.worst > 1) process.exitCode = 1;
  return best.cosines;
}

const tables = specs.map((spec) => {
  const numbers = [...design(spec)].map((value) => value.toFixed(11));
  const lines = [];
  for (let i = 0; i < numbers.length; i += 6) lines.push(numbers.slice(i, i + 6).join(', '));
  return (
    `// Passband to ${spec.pass} of the stopband's edge.\n` +
    `inline constexpr double k${spec.name}Cosines[] = {\n    ${lines.join(',\n    ')}};\n` +
    `inline constexpr LowPass k${spec.name}{${spec.support}, k${spec.name}Cosines, ${numbers.length}};\n`
  );
});
const text = `// Made by scripts/design-resampler.mjs, which says how: do not edit.
#pragma once

#include <cstddef>

namespace patchcord {

// The sum over m of cosines[m] * cos(2 pi m t / support), for t within half the support.
struct LowPass {
  double support;
  const double* cosines;
  size_t count;
};

// clang-format off

${tables.join('\n')}
// clang-format on

}  // namespace patchcord
`;
writeFileSync(
  fileURLToPath(new URL('../src/core/signal/resampler_prototypes.h', import.meta.url)),
  text,
);
