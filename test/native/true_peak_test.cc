#include "../../src/core/signal/true_peak.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "../../src/core/signal/format.h"
#include "check.h"
#include "random_signal.h"
#include "sine_fit.h"

using namespace patchcord;

namespace {

double decibels(float peak) { return 20 * std::log10(static_cast<double>(peak)); }

// The true peak of a mono signal.
float peak_of(const std::vector<float>& samples, uint32_t rate = 48000) {
  TruePeak meter(rate, 1);
  meter.process(samples.data(), samples.size());
  return meter.take(0);
}

// Fades in and out, so that it is no wider than it should be.
void fade(std::vector<double>* signal, size_t frames) {
  for (size_t i = 0; i < frames; ++i) {
    const double gain = 0.5 - 0.5 * std::cos(kPi * static_cast<double>(i) / frames);
    (*signal)[i] *= gain;
    (*signal)[signal->size() - 1 - i] *= gain;
  }
}

std::vector<float> floats(const std::vector<double>& signal) {
  return std::vector<float>(signal.begin(), signal.end());
}

// A sine of `turns` a frame, in dB of its amplitude.
double error_at(double turns, double phase, uint32_t rate) {
  std::vector<double> signal(600);
  for (size_t i = 0; i < signal.size(); ++i) {
    signal[i] = std::sin(2 * kPi * (turns * static_cast<double>(i) + phase));
  }
  fade(&signal, 200);
  return decibels(peak_of(floats(signal), rate));
}

struct Extremes {
  double lowest = 0, highest = 0;
};

Extremes errors_up_to(double turns, uint32_t rate) {
  Extremes errors;
  RandomSignal random(1);
  for (int i = 0; i < 1500; ++i) {
    const double error = error_at(random.real(0.02, turns), random.real(0, 1), rate);
    errors = {std::min(errors.lowest, error), std::max(errors.highest, error)};
  }
  return errors;
}

// Cases 20 to 23: at four times the rate half a sine of rate / 6, one period of rate / 4 at full
// scale, on with the first; then the top half of the spectrum and three of four samples go.
std::vector<float> burst(size_t offset) {
  constexpr size_t kFrames = 2400, kReach = 160;
  std::vector<double> fine(4 * kFrames);
  double phase = 0;
  int burst_left = 16;
  for (size_t i = 0; i < fine.size(); ++i) {
    const bool in_burst = i >= 4800 && burst_left > 0;
    fine[i] = (in_burst ? 1 : 0.5) * std::sin(2 * kPi * phase);
    phase += in_burst ? 1.0 / 16 : 1.0 / 24;
    if (in_burst) --burst_left;
  }
  fade(&fine, 400);
  std::vector<float> coarse;
  for (size_t i = kReach + offset; i + kReach < fine.size(); i += 4) {
    double sum = 0;
    for (size_t k = 0; k <= 2 * kReach; ++k) {
      const double at = static_cast<double>(k) - kReach;
      const double x = 2 * kPi * 0.45 / 4 * at;
      const double window = 0.5 + 0.5 * std::cos(kPi * at / (kReach + 1));
      sum += fine[i + k - kReach] * window * (at == 0 ? 1 : std::sin(x) / x) * 0.45 / 2;
    }
    coarse.push_back(static_cast<float>(sum));
  }
  return coarse;
}

}  // namespace

TEST("EBU Tech 3341 cases 15 to 19: tones whose samples miss the peak") {
  struct Case {
    double period, amplitude, degrees, expected;
  };
  const std::vector<Case> cases = {
      {4, 0.5, 0, -6}, {4, 0.5, 45, -6}, {6, 0.5, 60, -6}, {8, 0.5, 67.5, -6}, {4, 1.41, 45, 3},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    std::vector<double> signal(48000);
    for (size_t n = 0; n < signal.size(); ++n) {
      const double turns = static_cast<double>(n) / cases[i].period + cases[i].degrees / 360;
      signal[n] = cases[i].amplitude * std::sin(2 * kPi * (turns - std::floor(turns)));
    }
    fade(&signal, 480);
    const double peak = decibels(peak_of(floats(signal)));
    CHECK(peak <= cases[i].expected + 0.2 && peak >= cases[i].expected - 0.4);
    std::printf("  case %zu: %.3f dBTP\n", i + 15, peak);
  }
}

TEST("EBU Tech 3341 cases 20 to 23: one loud period between the samples") {
  for (size_t offset = 0; offset < 4; ++offset) {
    const double peak = decibels(peak_of(burst(offset)));
    CHECK(peak <= 0.2 && peak >= -0.4);
    std::printf("  case %zu: %.3f dBTP\n", offset + 20, peak);
  }
}

TEST("a sine up to 0.45 of the rate reads its amplitude, whatever its phase") {
  struct Case {
    uint32_t rate;
    double turns;
  };
  for (const Case& up_to : {Case{48000, 0.45}, Case{96000, 0.25}, Case{192000, 0.125}}) {
    const Extremes errors = errors_up_to(up_to.turns, up_to.rate);
    CHECK(errors.lowest > -0.2 && errors.highest < 0.2);
    std::printf("  %u Hz, up to %.1f kHz: %+.3f to %+.3f dB\n", up_to.rate,
                up_to.turns * up_to.rate / 1000, errors.lowest, errors.highest);
  }
}

TEST("sums of tones, too") {
  RandomSignal random(2);
  Extremes errors;
  for (int round = 0; round < 200; ++round) {
    constexpr size_t kTones = 12, kFrames = 400, kBetween = 32;
    std::vector<double> turns, phases;
    for (size_t i = 0; i < kTones; ++i) {
      turns.push_back(random.real(0.01, 0.45));
      phases.push_back(random.real(0, 1));
    }
    std::vector<float> samples;
    double highest = 0;
    for (size_t i = 0; i < kFrames * kBetween; ++i) {
      const double at = static_cast<double>(i) / kBetween;
      const double place = at / kFrames;
      double sum = 0;
      for (size_t k = 0; k < kTones; ++k) sum += std::sin(2 * kPi * (turns[k] * at + phases[k]));
      sum *= 0.5 - 0.5 * std::cos(2 * kPi * place);
      highest = std::max(highest, std::fabs(sum));
      if (i % kBetween == 0) samples.push_back(static_cast<float>(sum));
    }
    const double error = decibels(peak_of(samples)) - 20 * std::log10(highest);
    errors = {std::min(errors.lowest, error), std::max(errors.highest, error)};
  }
  CHECK(errors.lowest > -0.2 && errors.highest < 0.2);
  std::printf("  %+.3f to %+.3f dB\n", errors.lowest, errors.highest);
}

TEST("a sample counts at once, and once") {
  TruePeak meter(44100, 2);
  std::vector<float> frames(2 * 100, 0.0f);
  frames[2 * 99] = 0.75f;
  meter.process(frames.data(), 100);
  CHECK(meter.take(0) == 0.75f && meter.take(1) == 0);
  CHECK(meter.take(0) == 0);
  meter.process(frames.data(), 99);
  CHECK_NEAR(static_cast<double>(meter.take(0)), 0.75, 1e-5);  // it was the top of its surroundings
  CHECK(meter.take(0) == 0);
  meter.process(frames.data(), 100);
  meter.reset();
  CHECK(meter.take(0) == 0);
  meter.process(frames.data(), 50);
  CHECK(meter.take(0) == 0);
}

TEST("NaN and infinity count as silence; the largest floats stay finite") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> samples(100, 0.0f);
  samples[10] = nan, samples[20] = infinity, samples[30] = -infinity;
  CHECK(peak_of(samples) == 0);
  samples.assign(100, std::numeric_limits<float>::max());
  for (size_t i = 0; i < samples.size(); i += 3) samples[i] = -samples[i];
  for (const uint32_t rate : {8000u, 96000u, 192000u}) {
    CHECK(std::isfinite(peak_of(samples, rate)) && peak_of(samples, rate) > 1e36f);
  }
}

TEST("fuzz: never below the highest sample, and the same however it is cut") {
  RandomSignal random(3);
  for (int round = 0; round < 100; ++round) {
    const uint32_t channels = random.whole(1, kMaxChannels);
    const uint32_t rate = random.whole(kMinSampleRate, kMaxSampleRate);
    const size_t frames = random.whole(1, 2000);
    std::vector<float> in = random.samples(frames * channels);
    for (float& sample : in) {
      const auto bits = static_cast<uint32_t>(random.bits() >> 32);
      if (round % 2 == 0 && random.whole(0, 99) == 0) std::memcpy(&sample, &bits, sizeof bits);
    }
    TruePeak whole(rate, channels), cut(rate, channels);
    whole.process(in.data(), frames);
    for (size_t done = 0; done < frames;) {
      const size_t count = std::min<size_t>(frames - done, random.whole(0, 200));
      cut.process(in.data() + done * channels, count);
      done += count;
    }
    for (uint32_t channel = 0; channel < channels; ++channel) {
      const float peak = whole.take(channel);
      CHECK(std::isfinite(peak) && peak == cut.take(channel));
      if (round % 2 == 0) continue;
      for (size_t i = channel; i < in.size(); i += channels) CHECK(peak >= std::fabs(in[i]));
    }
  }
}
