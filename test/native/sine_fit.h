// Sines and what is left when they are taken out: how the signal kernels are judged.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

constexpr double kPi = 3.14159265358979323846;

// `frames` frames of a sine in `channels` channels, each `quarter` of a turn after the one before.
inline std::vector<float> sine(double hz, double rate, size_t frames, size_t channels, double level,
                               double quarter = 0.25) {
  std::vector<float> samples(frames * channels);
  for (size_t i = 0; i < samples.size(); ++i) {
    const double turns =
        hz * static_cast<double>(i / channels) / rate + quarter * static_cast<double>(i % channels);
    samples[i] = static_cast<float>(level * std::sin(2 * kPi * (turns - std::floor(turns))));
  }
  return samples;
}

struct SineFit {
  double level;     // of the sine of that frequency that fits best
  double phase;     // in turns, at the first sample
  double rest_rms;  // of all else
  double snr_db() const { return 20 * std::log10(level / std::sqrt(2.0) / rest_rms); }
};

// By least squares, in double. `turn(i)` is the phase of sample i in turns: it need not be even.
template <typename Turn>
SineFit fit_sine(const float* samples, size_t stride, size_t count, Turn turn) {
  double ss = 0, cc = 0, sc = 0, ys = 0, yc = 0;
  for (size_t i = 0; i < count; ++i) {
    const double at = 2 * kPi * turn(i);
    const double s = std::sin(at), c = std::cos(at);
    const double y = static_cast<double>(samples[i * stride]);
    ss += s * s, cc += c * c, sc += s * c, ys += y * s, yc += y * c;
  }
  const double determinant = ss * cc - sc * sc;
  const double a = (ys * cc - yc * sc) / determinant, b = (yc * ss - ys * sc) / determinant;
  double rest = 0;
  for (size_t i = 0; i < count; ++i) {
    const double at = 2 * kPi * turn(i);
    const double left =
        static_cast<double>(samples[i * stride]) - a * std::sin(at) - b * std::cos(at);
    rest += left * left;
  }
  return {std::hypot(a, b), std::atan2(b, a) / (2 * kPi),
          std::sqrt(rest / static_cast<double>(count))};
}
