#include "../../src/core/signal/loudness_meter.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <limits>
#include <thread>

#include "check.h"
#include "random_signal.h"
#include "tones.h"

using namespace patchcord;

namespace {

constexpr auto kNoPeaks = LoudnessMeter::Peaks::kIgnored;  // most tests are about the rest
constexpr double kTolerance = 0.1;                         // LU, in EBU Tech 3341

constexpr uint32_t kRates[] = {8000,  11025, 16000, 22050,  32000,  44100, 44111,
                               48000, 88200, 96000, 176400, 192000, 384000};

struct Stretch {
  double seconds;
  double dbfs;  // peak level in each channel
};

void nothing(const LoudnessMeter&) {}

// Tones for a meter; `look` sees each renewal.
template <typename Look = void (*)(const LoudnessMeter&)>
void play(Tones* tones, LoudnessMeter* meter, const std::vector<Stretch>& stretches,
          Look look = nothing, size_t channels = 2) {
  for (const auto& [seconds, dbfs] : stretches) {
    tones->play(seconds, std::vector<double>(channels, dbfs), [&](float* frames, size_t count) {
      while (count > 0) {
        const size_t now = std::min(count, meter->frames_to_renewal());
        const bool renews = now == meter->frames_to_renewal();
        meter->process(frames, now);
        if (renews) look(*meter);
        frames += channels * now;
        count -= now;
      }
    });
  }
}

Loudness measured(const std::vector<Stretch>& stretches) {
  Tones tones(48000);
  LoudnessMeter meter(48000, 2, kNoPeaks);
  play(&tones, &meter, stretches);
  return meter.snapshot();
}

double number(float value) { return static_cast<double>(value); }

bool same(const Loudness& a, const Loudness& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

std::vector<Stretch> repeated(std::vector<Stretch> once, int times) {
  std::vector<Stretch> all;
  for (int i = 0; i < times; ++i) all.insert(all.end(), once.begin(), once.end());
  return all;
}

// Samples that no sound has.
void spoil(RandomSignal* random, std::vector<float>* samples, uint32_t one_in) {
  for (float& sample : *samples) {
    if (random->whole(1, one_in) != 1) continue;
    const auto bits = static_cast<uint32_t>(random->bits() >> 32);
    std::memcpy(&sample, &bits, sizeof bits);
  }
}

}  // namespace

// The minimum requirements of EBU Tech 3341, table 1. Cases 7 and 8 are authentic programmes and
// need the EBU's files; 15 to 23 are in true_peak_test.cc.
TEST("EBU Tech 3341 cases 1 and 2: a tone reads its level as M, S and I") {
  for (const double level : {-23.0, -33.0}) {
    const Loudness loudness = measured({{20, level}});
    CHECK_NEAR(number(loudness.momentary), level, kTolerance);
    CHECK_NEAR(number(loudness.short_term), level, kTolerance);
    CHECK_NEAR(number(loudness.integrated), level, kTolerance);
    std::printf("  case %d: M %.3f, S %.3f, I %.3f LUFS\n", level > -30 ? 1 : 2,
                number(loudness.momentary), number(loudness.short_term),
                number(loudness.integrated));
  }
}

TEST("EBU Tech 3341 cases 3 to 5: the gates") {
  const std::vector<std::vector<Stretch>> cases = {
      {{10, -36}, {60, -23}, {10, -36}},
      {{10, -72}, {10, -36}, {60, -23}, {10, -36}, {10, -72}},
      {{20, -26}, {20.1, -20}, {20, -26}},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    const double integrated = number(measured(cases[i]).integrated);
    CHECK_NEAR(integrated, -23, kTolerance);
    std::printf("  case %zu: I %.3f LUFS\n", i + 3, integrated);
  }
}

TEST("EBU Tech 3341 case 6: five channels, and 5.1 whose LFE does not count") {
  for (const bool lfe : {false, true}) {
    std::vector<double> levels = {-28, -28, -24, -30, -30};
    if (lfe) levels.insert(levels.begin() + 3, 0);
    Tones tones(48000);
    LoudnessMeter meter(48000, static_cast<uint32_t>(levels.size()), kNoPeaks);
    tones.play(20, levels, [&](float* frames, size_t count) { meter.process(frames, count); });
    const double integrated = number(meter.snapshot().integrated);
    CHECK_NEAR(integrated, -23, kTolerance);
    std::printf("  case 6, %s: I %.3f LUFS\n", lfe ? "5.1" : "5.0", integrated);
  }
}

TEST("EBU Tech 3341 cases 9 and 12: steady within the window, steady on the meter") {
  const auto extremes = [](std::vector<Stretch> stretches, double from, auto value) {
    Tones tones(48000);
    LoudnessMeter meter(48000, 2, kNoPeaks);
    double lowest = 1000, highest = -1000, seconds = 0;
    play(&tones, &meter, stretches, [&](const LoudnessMeter& now) {
      seconds += 0.01;
      if (seconds < from) return;
      lowest = std::min(lowest, number(value(now.current())));
      highest = std::max(highest, number(value(now.current())));
    });
    CHECK_NEAR(lowest, -23, kTolerance);
    CHECK_NEAR(highest, -23, kTolerance);
    std::printf("  case %d: %.3f to %.3f LUFS\n", from > 2 ? 9 : 12, lowest, highest);
  };
  extremes(repeated({{1.34, -20}, {1.66, -30}}, 5), 3.005,
           [](const Loudness& loudness) { return loudness.short_term; });
  extremes(repeated({{0.18, -20}, {0.22, -30}}, 25), 1.005,
           [](const Loudness& loudness) { return loudness.momentary; });
}

TEST("EBU Tech 3341 cases 10 and 13: maxima wherever in a file the tone is") {
  double worst_short_term = 0, worst_momentary = 0;
  for (int i = 0; i < 20; ++i) {
    const Loudness slow = measured({{i * 0.15, kNoTone}, {3, -23}, {1, kNoTone}});
    const Loudness fast = measured({{i * 0.02, kNoTone}, {0.4, -23}, {1, kNoTone}});
    CHECK_NEAR(number(slow.max_short_term), -23, kTolerance);
    CHECK_NEAR(number(fast.max_momentary), -23, kTolerance);
    worst_short_term = std::max(worst_short_term, std::fabs(number(slow.max_short_term) + 23));
    worst_momentary = std::max(worst_momentary, std::fabs(number(fast.max_momentary) + 23));
  }
  std::printf("  case 10: within %.3f LU, case 13: within %.3f LU\n", worst_short_term,
              worst_momentary);
}

TEST("EBU Tech 3341 cases 11 and 14: maxima of tones that rise, on a meter that runs on") {
  const auto rising = [](double step, double tone, auto value) {
    Tones tones(48000);
    LoudnessMeter meter(48000, 2, kNoPeaks);
    double worst = 0;
    for (int i = 0; i < 20; ++i) {
      double highest = -1000;
      play(&tones, &meter, {{i * step, kNoTone}, {tone, i - 38.0}, {tone - i * step, kNoTone}},
           [&](const LoudnessMeter& now) {
             highest = std::max(highest, number(value(now.current())));
           });
      CHECK_NEAR(highest, i - 38.0, kTolerance);
      worst = std::max(worst, std::fabs(highest - (i - 38.0)));
    }
    std::printf("  case %d: within %.3f LU\n", tone > 1 ? 11 : 14, worst);
  };
  rising(0.15, 3, [](const Loudness& loudness) { return loudness.short_term; });
  rising(0.02, 0.4, [](const Loudness& loudness) { return loudness.momentary; });
}

TEST("EBU Tech 3342 cases 1 to 4: loudness range") {
  struct Case {
    std::vector<Stretch> stretches;
    double range;
  };
  const std::vector<Case> cases = {
      {{{20, -20}, {20, -30}}, 10},
      {{{20, -20}, {20, -15}}, 5},
      {{{20, -40}, {20, -20}}, 20},
      {{{20, -50}, {20, -35}, {20, -20}, {20, -35}, {20, -50}}, 15},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    const double range = number(measured(cases[i].stretches).range);
    CHECK_NEAR(range, cases[i].range, 1);
    std::printf("  case %zu: %.1f LU\n", i + 1, range);
  }
}

// BS.1770 publishes its filter for 48 kHz as numbers: the one derived here must be it.
TEST("at 48 kHz the filter is the published one") {
  const std::vector<float> noise = RandomSignal(1).samples(48000);
  KWeighting weighting(48000, 1);
  weighting.process(noise.data(), noise.size());
  double x1 = 0, x2 = 0, y1 = 0, y2 = 0, z1 = 0, z2 = 0, energy = 0;
  for (const float sample : noise) {
    const auto x = static_cast<double>(sample);
    const double y = 1.53512485958697 * x - 2.69169618940638 * x1 + 1.19839281085285 * x2 +
                     1.69065929318241 * y1 - 0.73248077421585 * y2;
    const double z = y - 2 * y1 + y2 + 1.99004745483398 * z1 - 0.99007225036621 * z2;
    x2 = x1, x1 = x, y2 = y1, y1 = y, z2 = z1, z1 = z;
    energy += z * z;
  }
  CHECK_NEAR(weighting.take_energy() / energy, 1, 1e-9);
  CHECK(weighting.take_energy() == 0);
}

TEST("997 Hz at full scale in one channel is -3.01 LUFS at any rate") {
  double worst = 0;
  for (const uint32_t rate : kRates) {
    Tones tones(rate, 997);
    LoudnessMeter meter(rate, 1, kNoPeaks);
    play(&tones, &meter, {{1, 0}}, nothing, 1);
    CHECK_NEAR(number(meter.snapshot().integrated), -3.01, 0.01);
    worst = std::max(worst, std::fabs(number(meter.snapshot().integrated) + 3.01));
  }
  std::printf("  within %.3f LU\n", worst);
}

TEST("and so is the whole filter, as far as the rate goes") {
  // The steady gain at `hz`, in dB.
  const auto gain = [](uint32_t rate, double hz) {
    KWeighting weighting(rate, 1);
    Tones tones(rate, hz);
    const auto take = [&](float* frames, size_t count) { weighting.process(frames, count); };
    tones.play(0.2, {0}, take);
    weighting.take_energy();
    tones.play(0.2, {0}, take);
    return 10 * std::log10(weighting.take_energy() / rate / 0.1);
  };
  double worst = 0, worst_at_8k = 0;
  for (const double hz :
       {25, 50, 100, 250, 500, 1000, 1750, 2500, 3500, 5000, 7500, 10000, 20000}) {
    const double published = gain(48000, hz);
    for (const uint32_t rate : kRates) {
      if (hz > 0.45 * rate) continue;
      const double error = std::fabs(gain(rate, hz) - published);
      double& highest = rate < 16000 ? worst_at_8k : worst;
      highest = std::max(highest, error);
    }
  }
  CHECK(worst < 0.01);
  CHECK(worst_at_8k < 0.06);
  std::printf("  within %.4f dB, below 16 kHz within %.3f dB\n", worst, worst_at_8k);
}

TEST("each speaker weighs what its place in the WAVE layout says") {
  constexpr double kSide = 1.41;
  const std::vector<std::vector<double>> weights = {
      {1},
      {1, 1},
      {1, 1, 1},
      {1, 1, kSide, kSide},
      {1, 1, 1, kSide, kSide},
      {1, 1, 1, 0, kSide, kSide},
      {1, 1, 1, 0, 1, kSide, kSide},
      {1, 1, 1, 0, 1, 1, kSide, kSide},
      {1, 1, 1, 1, 1, 1, 1, 1, 1},
  };
  for (const std::vector<double>& layout : weights) {
    const auto channels = static_cast<uint32_t>(layout.size());
    for (uint32_t channel = 0; channel < channels; ++channel) {
      std::vector<double> levels(channels, kNoTone);
      levels[channel] = -20;
      Tones tones(48000);
      LoudnessMeter meter(48000, channels, kNoPeaks);
      tones.play(0.5, levels, [&](float* frames, size_t count) { meter.process(frames, count); });
      const double expected = -23 + 10 * std::log10(layout[channel]);
      const double momentary = number(meter.snapshot().momentary);
      CHECK(layout[channel] == 0 ? momentary < -1000 : std::fabs(momentary - expected) < 0.05);
    }
  }
}

// Against a list of all blocks, which is what the bins stand for.
TEST("bins instead of a list cost next to nothing, however the levels are spread") {
  RandomSignal random(2);
  double worst = 0, worst_range = 0;
  for (int round = 0; round < 12; ++round) {
    Tones tones(8000);
    LoudnessMeter meter(8000, 1, kNoPeaks);
    const double low = random.real(-75, -20), high = random.real(low, 0);
    std::vector<double> blocks, short_terms;
    uint64_t renewals = 0;
    std::vector<Stretch> stretches;
    for (int i = 0; i < 150; ++i)
      stretches.push_back({random.real(0.1, 1), random.real(low, high)});
    play(
        &tones, &meter, stretches,
        [&](const LoudnessMeter& now) {
          if (++renewals % 10 != 0) return;
          if (renewals >= 40) blocks.push_back(number(now.current().momentary));
          if (renewals >= 300) short_terms.push_back(number(now.current().short_term));
        },
        1);
    const auto gated = [](const std::vector<double>& list, double gate) {
      std::vector<double> kept;
      std::copy_if(list.begin(), list.end(), std::back_inserter(kept),
                   [gate](double lufs) { return lufs > gate; });
      return kept;
    };
    const auto mean = [](const std::vector<double>& list) {
      double energy = 0;
      for (const double lufs : list) energy += std::pow(10, lufs / 10);
      return 10 * std::log10(energy / static_cast<double>(list.size()));
    };
    blocks = gated(blocks, -70);
    if (blocks.empty()) continue;
    const double exact = mean(gated(blocks, mean(blocks) - 10));
    worst = std::max(worst, std::fabs(number(meter.snapshot().integrated) - exact));
    short_terms = gated(short_terms, -70);
    if (short_terms.empty()) continue;
    short_terms = gated(short_terms, mean(short_terms) - 20);
    std::sort(short_terms.begin(), short_terms.end());
    const auto at = [&short_terms](double share) {
      const double last = static_cast<double>(short_terms.size() - 1);
      return short_terms[static_cast<size_t>(std::lround(share * last))];
    };
    worst_range =
        std::max(worst_range, std::fabs(number(meter.snapshot().range) - (at(0.95) - at(0.1))));
  }
  CHECK(worst < 0.05);
  CHECK(worst_range <= 0.11);
  std::printf("  integrated within %.4f LU, range within %.3f LU\n", worst, worst_range);
}

TEST("true peak: now and the highest ever") {
  LoudnessMeter meter(48000, 2), blind(48000, 2, kNoPeaks);
  std::vector<float> frames(2 * 48000, 0.0f);
  frames[2 * 100 + 1] = -0.5f;
  meter.process(frames.data(), 9600);
  CHECK(meter.snapshot().true_peak == 0.5f && meter.snapshot().max_true_peak == 0.5f);
  meter.process(frames.data() + 2 * 9600, 38400);
  CHECK(meter.snapshot().true_peak < 1e-6f && meter.snapshot().max_true_peak == 0.5f);
  blind.process(frames.data(), 48000);
  CHECK(blind.snapshot().max_true_peak == 0);
  CHECK(blind.snapshot().max_momentary == meter.snapshot().max_momentary);
  meter.reset();
  CHECK(same(meter.snapshot(), LoudnessMeter(48000, 2).snapshot()));
}

TEST("silence is -Infinity, and nothing was above the gate") {
  const Loudness loudness = measured({{4, kNoTone}});
  for (const float value : {loudness.momentary, loudness.short_term, loudness.integrated,
                            loudness.max_momentary, loudness.max_short_term}) {
    CHECK(value == -std::numeric_limits<float>::infinity());
  }
  CHECK(loudness.range == 0);
  CHECK(!std::isfinite(measured({{4, -75}}).integrated));
}

TEST("NaN, infinity and denormals count as silence and leave no trace") {
  RandomSignal random(3);
  std::vector<float> spoilt = random.samples(2 * 48000, 0.1f), clean = spoilt;
  for (size_t i = 0; i < spoilt.size(); i += 7) {
    const float values[] = {
        std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::denorm_min()};
    spoilt[i] = values[i % 4];
    clean[i] = 0;
  }
  LoudnessMeter a(48000, 2), b(48000, 2);
  a.process(spoilt.data(), 48000);
  b.process(clean.data(), 48000);
  CHECK(std::isfinite(a.snapshot().integrated) && same(a.snapshot(), b.snapshot()));
}

TEST("the largest floats pass through the meter and are over") {
  LoudnessMeter meter(48000, 2);
  std::vector<float> huge(2 * 48000, std::numeric_limits<float>::max());
  for (size_t i = 0; i < huge.size(); i += 3) huge[i] = -huge[i];
  meter.process(huge.data(), 48000);
  CHECK(std::isfinite(meter.snapshot().integrated) && meter.snapshot().integrated > 700);
  Tones tones(48000);
  play(&tones, &meter, {{5, -23}});
  CHECK_NEAR(number(meter.snapshot().short_term), -23, kTolerance);
  CHECK_NEAR(number(meter.snapshot().momentary), -23, kTolerance);
}

TEST("fuzz: any rate, any channels, any cut, any bits") {
  RandomSignal random(4);
  for (int round = 0; round < 24; ++round) {
    const uint32_t rate = random.whole(kMinSampleRate, round % 4 == 0 ? kMaxSampleRate : 50000);
    const uint32_t channels = random.whole(1, round % 4 == 0 ? 2 : kMaxChannels);
    const size_t frames = random.whole(1, rate / 2);
    std::vector<float> in = random.samples(frames * channels);
    spoil(&random, &in, random.whole(1, 50));
    LoudnessMeter whole(rate, channels), cut(rate, channels);
    whole.process(in.data(), frames);
    for (size_t done = 0; done < frames;) {
      const size_t count = std::min<size_t>(frames - done, random.whole(0, 900));
      cut.process(in.data() + done * channels, count);
      done += count;
    }
    const Loudness loudness = whole.snapshot();
    CHECK(same(loudness, cut.snapshot()));
    CHECK(!std::isnan(loudness.momentary) && !std::isnan(loudness.integrated));
    CHECK(std::isfinite(loudness.range) && std::isfinite(loudness.max_true_peak));
  }
}

// ThreadSanitizer's: a reader beside the audio thread.
TEST("a reader never sees a torn value") {
  struct Five {
    uint32_t value[5];
  };
  Shown<Five> shown;
  std::atomic<bool> done{false};
  std::thread reader([&] {
    uint32_t last = 0;
    while (!done.load()) {
      const Five five = shown.load();
      for (const uint32_t value : five.value) CHECK(value == five.value[0]);
      CHECK(five.value[0] >= last);
      last = five.value[0];
    }
  });
  for (uint32_t i = 1; i < 200000; ++i) shown.store({{i, i, i, i, i}});
  done = true;
  reader.join();
  CHECK(shown.load().value[4] == 199999);
}
