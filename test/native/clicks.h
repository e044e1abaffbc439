// No click: where sound begins, ends or breaks, in whatever class, no step of the output is more
// than six times the largest step of the sound itself, and nothing is heard far above the sound.
// The sound is a sine, broken in many phases.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <vector>

#include "../../src/core/signal/smoothstep.h"
#include "check.h"

constexpr uint32_t kRate = 48000;
constexpr size_t kPeriod = 480;
constexpr double kHz = 440, kPeak = 0.5;
constexpr double kTurn = 2 * 3.14159265358979 * kHz;
constexpr double kMostSteps = 6;
// dB below the tone, above kSplatterHz, in the loudest 5 ms. A ramp of 3 ms leaves -70; what holds
// the last frame and lets that fall, -50.
constexpr double kMostSplatter = -60, kSplatterHz = 6000;
constexpr int kPhases = 6;

// The sample at `seconds`. It begins at 0, so softly that its beginning is no edge.
inline float tone(double seconds) {
  const double gain = patchcord::smoothstep(std::clamp(seconds / 0.005, 0.0, 1.0));
  return static_cast<float>(gain * kPeak * std::sin(kTurn * seconds));
}

inline std::vector<float> tone_from(int64_t frame, size_t frames, double rate = kRate) {
  std::vector<float> samples(frames);
  for (size_t i = 0; i < frames; ++i)
    samples[i] = tone(static_cast<double>(frame + static_cast<int64_t>(i)) / rate);
  return samples;
}

// The largest step, in steps of the tone.
inline double steps_of(const std::vector<float>& out) {
  double most = 0;
  for (size_t i = 1; i < out.size(); ++i)
    most = std::max<double>(most, std::fabs(out[i] - out[i - 1]));
  return most / (kPeak * 2 * std::sin(kTurn / kRate / 2));
}

// dB: what is left above kSplatterHz of a Butterworth high-pass of the eighth order, against the
// tone.
inline double splatter_of(const std::vector<float>& out) {
  constexpr double kPi = 3.14159265358979;
  const double k = std::tan(kPi * kSplatterHz / kRate);
  std::vector<double> samples(out.begin(), out.end());
  for (int stage = 0; stage < 4; ++stage) {
    const double damping = 2 * std::sin(kPi * (2 * stage + 1) / 16);
    const double norm = 1 / (1 + damping * k + k * k);
    const double a1 = 2 * (k * k - 1) * norm, a2 = (1 - damping * k + k * k) * norm;
    double one = 0, two = 0;
    for (double& sample : samples) {
      const double in = sample - a1 * one - a2 * two;
      sample = (in - 2 * one + two) * norm;
      two = one;
      one = in;
    }
  }
  constexpr size_t kWindow = kRate / 200;
  double power = 0, most = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    power += samples[i] * samples[i];
    if (i >= kWindow) power -= samples[i - kWindow] * samples[i - kWindow];
    most = std::max(most, power / kWindow);
  }
  return 10 * std::log10(most / (kPeak * kPeak / 2) + 1e-20);
}

// `play` gives what was heard of a break that begins so many frames (below a period) into the
// sound.
inline void no_click(const char* what, const std::function<std::vector<float>(size_t)>& play) {
  double most = 0, loudest = 0, splatter = -200;
  for (int phase = 0; phase < kPhases; ++phase) {
    const std::vector<float> out =
        play(static_cast<size_t>(phase) * kRate / static_cast<size_t>(kHz) / kPhases);
    most = std::max(most, steps_of(out));
    splatter = std::max(splatter, splatter_of(out));
    for (const float sample : out) loudest = std::max<double>(loudest, std::fabs(sample));
  }
  std::printf("  %-62s %5.1f %6.1f dB\n", what, most, splatter);
  CHECK(most <= kMostSteps);
  CHECK(splatter <= kMostSplatter);
  CHECK(loudest > 0.95 * kPeak && loudest < 2 * kPeak);  // and it did sound
}
