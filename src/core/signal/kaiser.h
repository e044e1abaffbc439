// Kaiser's window and his formulas for it (J. F. Kaiser, "Nonrecursive digital filter design using
// the I0-sinh window function", 1974).
#pragma once

#include <cmath>

namespace patchcord {

constexpr double kPi = 3.14159265358979323846;

// The modified Bessel function of the first kind, order 0.
inline double bessel_i0(double x) {
  double sum = 1;
  double term = 1;
  for (int k = 1; term > sum * 1e-17; ++k) {
    const double factor = x / (2 * k);
    term *= factor * factor;
    sum += term;
  }
  return sum;
}

constexpr double kaiser_shape(double stopband_db) { return 0.1102 * (stopband_db - 8.7); }

// The distance from the first tap to the last; the transition is in cycles per tap.
constexpr double kaiser_length(double stopband_db, double transition) {
  return (stopband_db - 7.95) / (14.36 * transition);
}

// Not normalised; `place` runs from -1 at one end to 1 at the other.
inline double kaiser(double shape, double place) {
  const double inside = 1 - place * place;
  return inside <= 0 ? 0 : bessel_i0(shape * std::sqrt(inside));
}

}  // namespace patchcord
