// A room with a loudspeaker and a microphone for tests of the echo canceller: the same for a seed
// on every machine.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "random_signal.h"

struct EchoScene {
  static constexpr double kDoubleTalk = 6;  // both sides talk from then on
  double seconds = 11;
  uint32_t rate = 16000;
  uint64_t seed = 1;
  double near_over_echo_db = 0;  // level of the talker in the room
  double distortion = 0.02;
  double noise_db = -35;       // below the echo
  double decay_seconds = 0.4;  // by 60 dB
  double delay_ms = 3;         // of the direct sound

  std::vector<float> far, echo, near, microphone;

  void make() {
    RandomSignal random(seed);
    const auto frames = static_cast<size_t>(seconds * rate);
    far = speech(random, frames);
    const auto quiet = static_cast<size_t>(0.5 * rate);
    std::fill_n(far.begin(), quiet, 0.0f);
    echo = played(random, frames);
    near = speech(random, frames);
    std::fill_n(near.begin(), static_cast<size_t>(kDoubleTalk * rate), 0.0f);
    scale(echo, 0.03);
    scale(near, 0.03 * std::pow(10, near_over_echo_db / 20));
    microphone.resize(frames);
    const double noise = 0.03 * std::pow(10, noise_db / 20) * std::sqrt(3.0);
    for (size_t i = 0; i < frames; ++i) {
      microphone[i] = echo[i] + near[i] + static_cast<float>(random.real(-noise, noise));
    }
  }

  // dB, of seconds from..to.
  double power_db(const std::vector<float>& signal, double from, double to) const {
    double sum = 1e-20;
    const auto first = static_cast<size_t>(from * rate), last = static_cast<size_t>(to * rate);
    for (size_t i = first; i < last; ++i) sum += static_cast<double>(signal[i]) * signal[i];
    return 10 * std::log10(sum / static_cast<double>(last - first));
  }
  double erle_db(const std::vector<float>& out, double from, double to) const {
    return power_db(microphone, from, to) - power_db(out, from, to);
  }
  // The ratio of the talker in `out` to everything else: scale-invariant signal to distortion.
  double near_sdr_db(const std::vector<float>& out, double from, double to) const {
    const auto first = static_cast<size_t>(from * rate), last = static_cast<size_t>(to * rate);
    double both = 0, own = 1e-20, other = 1e-20;
    for (size_t i = first; i < last; ++i) {
      both += static_cast<double>(out[i]) * near[i];
      own += static_cast<double>(near[i]) * near[i];
    }
    for (size_t i = first; i < last; ++i) {
      const double rest = out[i] - both / own * near[i];
      other += rest * rest;
    }
    return 10 * std::log10(both * both / own / other);
  }

 private:
  static constexpr double kTurn = 6.28318530717958647692;

  void scale(std::vector<float>& signal, double rms) const {
    double sum = 0;
    size_t sounding = 0;
    for (const float sample : signal) {
      sum += static_cast<double>(sample) * sample;
      sounding += sample != 0 ? 1 : 0;
    }
    const double by = rms / std::sqrt(sum / static_cast<double>(std::max<size_t>(1, sounding)));
    for (float& sample : signal) sample = static_cast<float>(sample * by);
  }

  // Syllables: pulses of a gliding pitch, or noise, through three resonances that move from one
  // syllable to the next, with pauses.
  std::vector<float> speech(RandomSignal& random, size_t frames) const {
    std::vector<float> out(frames);
    double phase = 0;
    for (size_t at = 0; at < frames;) {
      const auto length = static_cast<size_t>(random.real(0.12, 0.35) * rate);
      const bool voiced = random.real(0, 1) < 0.75;
      const double pitch = random.real(90, 220), glide = random.real(-0.25, 0.25);
      double a[3], b[3], y1[3] = {}, y2[3] = {};
      const double low[3] = {250, 800, 2200}, high[3] = {900, 2300, 3400};
      for (int f = 0; f < 3; ++f) {
        const double hz = random.real(low[f], high[f]), width = 60 + hz * 0.06;
        const double r = std::exp(-kTurn / 2 * width / rate);
        a[f] = 2 * r * std::cos(kTurn * hz / rate);
        b[f] = -r * r;
      }
      for (size_t i = 0; i < length && at + i < frames; ++i) {
        const double t = static_cast<double>(i) / static_cast<double>(length);
        phase += pitch * (1 + glide * t) / rate;
        double source = random.real(-1, 1) * (voiced ? 0.05 : 0.4);
        if (phase >= 1) {
          phase -= 1;
          if (voiced) source += 1.5;
        }
        double sum = 0;
        for (int f = 0; f < 3; ++f) {
          const double y = source + a[f] * y1[f] + b[f] * y2[f];
          y2[f] = y1[f];
          y1[f] = y;
          sum += y / (1 + f);
        }
        const double shape = std::sin(kTurn / 2 * t);
        out[at + i] = static_cast<float>(sum * shape * shape * (voiced ? 1 : 0.4));
      }
      at += length;
      if (random.real(0, 1) < 0.25) at += static_cast<size_t>(random.real(0.05, 0.35) * rate);
    }
    scale(out, 0.08);
    return out;
  }

  // Through a loudspeaker that distorts (its loud parts by `distortion`) and a room: the direct
  // sound and echoes at random instants that fall exponentially.
  std::vector<float> played(RandomSignal& random, size_t frames) const {
    std::vector<float> sizes(frames);
    for (size_t i = 0; i < frames; ++i) sizes[i] = std::fabs(far[i]);
    const auto loudest = sizes.begin() + static_cast<std::ptrdiff_t>(frames * 99 / 100);
    std::nth_element(sizes.begin(), loudest, sizes.end());
    const double loud = *loudest, bend = std::sqrt(9.6 * distortion) + 1e-9;
    std::vector<float> speaker(frames), out(frames);
    for (size_t i = 0; i < frames; ++i) {
      const double u = far[i] / loud;
      const double bent = std::tanh(bend * (u + 1.2 * distortion * u * u)) / bend;
      speaker[i] = static_cast<float>(bent * loud);
    }
    const auto direct = static_cast<size_t>(delay_ms * 0.001 * rate);
    constexpr int kEchoes = 300;
    for (int n = 0; n <= kEchoes; ++n) {
      const double seconds = n == 0 ? 0 : random.real(0.001, 1.1 * decay_seconds);
      const double level = 0.3 * std::pow(10, -3 * seconds / decay_seconds);
      const auto gain = static_cast<float>(n == 0 ? 1 : random.real(-level, level));
      const size_t at = direct + static_cast<size_t>(seconds * rate);
      for (size_t i = at; i < frames; ++i) out[i] += gain * speaker[i - at];
    }
    return out;
  }
};
