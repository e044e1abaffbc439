#include "../../src/core/signal/limiter.h"

#include <algorithm>
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

}  // namespace

TEST("what stays below the ceiling comes out bit for bit, one look-ahead later") {
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
