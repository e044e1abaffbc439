#include "../../src/core/signal/limiter.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>

#include "check.h"
#include "random_signal.h"
#include "sine_fit.h"

using namespace patchcord;

namespace {

float peak(const std::vector<float>& samples) {
  float highest = 0;
  for (const float sample : samples) highest = std::max(highest, std::fabs(sample));
  return highest;
}

// The highest of the signal between its samples, in dB over the ceiling: a sinc of 96 frames on
// each side, flat nearly to half the rate, at 16 places between two samples.
double true_peak_over(const std::vector<float>& samples, size_t from) {
  constexpr int kReach = 96, kPlaces = 16;
  static const auto taps = [] {
    std::vector<std::array<double, 2 * kReach>> made(kPlaces);
    for (int place = 0; place < kPlaces; ++place) {
      for (int k = 0; k < 2 * kReach; ++k) {
        const double t = k - (kReach - 1) - static_cast<double>(place) / kPlaces;
        const double window = std::fabs(t) < kReach ? 0.5 + 0.5 * std::cos(kPi * t / kReach) : 0;
        made[place][k] = (t == 0 ? 1 : std::sin(kPi * t) / (kPi * t)) * window;
      }
    }
    return made;
  }();
  double highest = 0;
  for (size_t i = from; i + kReach < samples.size(); ++i) {
    for (const auto& place : taps) {
      double sum = 0;
      for (size_t k = 0; k < place.size(); ++k) {
        sum += place[k] * static_cast<double>(samples[i - (kReach - 1) + k]);
      }
      highest = std::max(highest, std::fabs(sum));
    }
  }
  return 20 * std::log10(highest / static_cast<double>(kLimiterCeiling));
}

// Signals that are hard for a limiter: nothing but peaks between samples, sudden tones, clipped
// sound, noise.
std::vector<std::vector<float>> hard_signals(uint32_t rate) {
  RandomSignal random(30);
  std::vector<std::vector<float>> signals(6);
  double walk = 0;
  for (size_t i = 0; i < 8000; ++i) {
    const auto n = static_cast<double>(i);
    walk = 0.95 * walk + random.real(-1, 1);
    signals[0].push_back(static_cast<float>(1.39 * std::sin(kPi / 2 * n + kPi / 4)));
    signals[1].push_back(i / 700 % 2 ? static_cast<float>(2 * std::sin(kPi / 3 * n + kPi / 6)) : 0);
    signals[2].push_back(i / 300 % 2 ? static_cast<float>(2 * std::sin(0.9 * kPi * n)) : 0);
    signals[3].push_back(std::sin(2 * kPi * 997 * n / rate) > 0 ? 1.0f : -1.0f);
    signals[4].push_back(static_cast<float>(std::clamp(walk, -1.2, 1.2)) *
                         (i / 2000 % 2 ? 1.0f : 0.1f));
    signals[5].push_back(static_cast<float>(random.real(-2, 2)));
  }
  return signals;
}

}  // namespace

TEST(
    "with true peaks nothing between the samples is above the ceiling by 0.1 dB; else 3 dB and "
    "more") {
  for (const uint32_t rate : {44100u, 48000u, 96000u}) {
    double plain = -100, highest = -100;
    for (const std::vector<float>& signal : hard_signals(rate)) {
      for (const LimiterPeaks peaks : {LimiterPeaks::kSamples, LimiterPeaks::kTrue}) {
        Limiter limiter(rate, 1, kLimiterCeiling, peaks);
        std::vector<float> out = signal;
        limiter.process(out.data(), out.size());
        CHECK(peak(out) <= kLimiterCeiling);
        double& worst = peaks == LimiterPeaks::kTrue ? highest : plain;
        worst = std::max(worst, true_peak_over(out, 300));
      }
    }
    std::printf("  %u Hz: %+.2f dB, of samples %+.2f dB\n", rate, highest, plain);
    CHECK(highest <= 0.1);
    CHECK(plain >= 3);
  }
}

TEST(
    "with true peaks too what never exceeds the ceiling comes out bit for bit, however it is cut") {
  for (const uint32_t rate : {8000u, 48000u, 192000u}) {
    Limiter limiter(rate, 2, kLimiterCeiling, LimiterPeaks::kTrue);
    const size_t delay = 2 * limiter.latency_frames();
    CHECK(limiter.latency_frames() == Limiter(rate, 2).latency_frames() + 72);
    const std::vector<float> in = RandomSignal(4).samples(2 * 10000, 0.3f);
    std::vector<float> out = in;
    limiter.process(out.data(), 10000);
    CHECK(std::equal(in.begin(), in.end() - static_cast<long>(delay),
                     out.begin() + static_cast<long>(delay)));
  }
  RandomSignal random(31);
  const std::vector<float> loud = random.samples(2 * 10000, 3);
  std::vector<float> whole = loud, cut = loud;
  Limiter one(48000, 2, kLimiterCeiling, LimiterPeaks::kTrue);
  Limiter other(48000, 2, kLimiterCeiling, LimiterPeaks::kTrue);
  one.process(whole.data(), 10000);
  for (size_t done = 0; done < 10000;) {
    const size_t count = std::min<size_t>(10000 - done, random.whole(0, 200));
    other.process(cut.data() + 2 * done, count);
    done += count;
  }
  CHECK(whole == cut);
}

TEST("sound below the ceiling is unchanged bit for bit, one look-ahead later") {
  for (const uint32_t rate : {8000u, 44100u, 48000u, 384000u}) {
    Limiter limiter(rate, 2);
    CHECK(limiter.latency_frames() * 1000 <= rate * 3 / 2);
    const std::vector<float> in = RandomSignal(4).samples(2 * 10000, kLimiterCeiling);
    std::vector<float> out = in;
    limiter.process(out.data(), 10000);
    const size_t delay = 2 * limiter.latency_frames();
    CHECK(std::all_of(out.begin(), out.begin() + static_cast<long>(delay),
                      [](float sample) { return sample == 0; }));
    CHECK(std::equal(in.begin(), in.end() - static_cast<long>(delay),
                     out.begin() + static_cast<long>(delay)));
    CHECK(limiter.lowest_gain() == 1);
  }
}

TEST("a tone 6 dB too loud comes out at the ceiling, hardly distorted") {
  Limiter limiter(48000, 2);
  std::vector<float> tone = sine(1000, 48000, 48000, 2, 2);
  limiter.process(tone.data(), 48000);
  CHECK(peak(tone) <= kLimiterCeiling);
  const SineFit fit = fit_sine(tone.data() + 2 * 24000, 2, 24000,
                               [](size_t i) { return static_cast<double>(i) / 48; });
  CHECK_NEAR(fit.level, kLimiterCeiling, 0.02);
  CHECK(fit.snr_db() > 40);
  CHECK_NEAR(limiter.lowest_gain(), kLimiterCeiling / 2, 1e-3);
}

TEST("after a peak the gain returns to exactly one, and both channels keep their balance") {
  Limiter limiter(48000, 2);
  std::vector<float> in = RandomSignal(5).samples(2 * 96000, 0.5f);
  in[2 * 1000] = 4;
  std::vector<float> out = in;
  limiter.process(out.data(), 96000);
  const size_t delay = 2 * limiter.latency_frames();
  // The other channel is turned down as much.
  CHECK_NEAR(out[2 * 1000 + delay], kLimiterCeiling, 1e-4);
  CHECK_NEAR(out[2 * 1000 + 1 + delay], in[2 * 1000 + 1] * kLimiterCeiling / 4, 1e-4);
  CHECK(std::equal(in.begin() + 2 * 72000, in.end() - static_cast<long>(delay),
                   out.begin() + 2 * 72000 + static_cast<long>(delay)));
}

TEST("NaN and infinity become silence and leave no trace") {
  Limiter limiter(48000, 1);
  std::vector<float> in(4800, 0.25f);
  in[100] = std::numeric_limits<float>::quiet_NaN();
  in[200] = std::numeric_limits<float>::infinity();
  in[300] = -std::numeric_limits<float>::infinity();
  limiter.process(in.data(), in.size());
  for (size_t i = limiter.latency_frames(); i < in.size(); ++i) {
    const size_t at = i - limiter.latency_frames();
    CHECK(in[i] == (at == 100 || at == 200 || at == 300 ? 0.0f : 0.25f));
  }
}

TEST("fuzz: never above the ceiling, whatever comes, and the same however it is cut") {
  RandomSignal random(6);
  for (int round = 0; round < 60; ++round) {
    const uint32_t channels = random.whole(1, 8);
    const uint32_t rate = random.whole(8000, 96000);
    const size_t frames = random.whole(1, 6000);
    const float ceiling = static_cast<float>(random.real(0.1, 1));
    std::vector<float> in = random.samples(frames * channels, 1.5f);
    for (float& sample : in) {
      if (random.whole(0, 200) == 0) {
        sample *= static_cast<float>(std::pow(10, random.real(0, 30)));  // up to overflow
      }
    }
    std::vector<float> whole = in, cut = in;
    Limiter limiter(rate, channels, ceiling);
    limiter.process(whole.data(), frames);
    CHECK(peak(whole) <= ceiling);
    limiter.reset();
    for (size_t done = 0; done < frames;) {
      const size_t count = std::min<size_t>(frames - done, random.whole(0, 700));
      limiter.process(cut.data() + done * channels, count);
      done += count;
    }
    CHECK(whole == cut);
  }
}
