#include "../../src/core/signal/resampler.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "../../src/core/signal/resampler_kernel.h"
#include "allocations.h"
#include "check.h"
#include "random_signal.h"
#include "sine_fit.h"

using namespace patchcord;

namespace {

using Quality = ResamplerQuality;
constexpr Quality kQualities[] = {Quality::kLow, Quality::kMedium, Quality::kHigh, Quality::kBest};

// All that comes of `in` and the silence that pushes the tail out.
std::vector<float> resampled(Resampler* resampler, const std::vector<float>& in, uint32_t channels,
                             uint32_t in_rate, uint32_t out_rate) {
  const size_t frames = in.size() / channels;
  std::vector<float> out((frames * out_rate / in_rate + 2) * channels);
  const size_t room = out.size() / channels;
  const auto body = resampler->process(in.data(), frames, out.data(), room);
  CHECK(body.consumed == frames);
  const auto tail = resampler->process(nullptr, resampler->latency_in(),
                                       out.data() + body.produced * channels, room - body.produced);
  out.resize((body.produced + tail.produced) * channels);
  return out;
}

// Fits the middle half of a converted tone, where the filter is steady.
SineFit converted_tone(uint32_t in_rate, uint32_t out_rate, Quality quality, bool variable,
                       double hz, double seconds = 0.25) {
  Resampler resampler(in_rate, out_rate, 2, quality, variable);
  const auto frames = static_cast<size_t>(seconds * in_rate) + 4 * resampler.latency_in();
  const std::vector<float> out =
      resampled(&resampler, sine(hz, in_rate, frames, 2, 0.891), 2, in_rate, out_rate);
  const size_t count = out.size() / 4, first = count / 2;
  SineFit fit = fit_sine(out.data() + 2 * first, 2, count,
                         [&](size_t i) { return hz * static_cast<double>(first + i) / out_rate; });
  return fit;
}

double decibels(double level) { return 20 * std::log10(level); }

}  // namespace

TEST("44.1 <> 48 kHz: a tone is left as it was, at its time, with what f32 allows") {
  const struct {
    Quality quality;
    double snr;
  } floors[] = {
      {Quality::kLow, 110}, {Quality::kMedium, 136}, {Quality::kHigh, 138}, {Quality::kBest, 137}};
  for (const auto& floor : floors) {
    for (const double hz : {1000.0, 7000.0, 15000.0}) {
      for (const bool up : {true, false}) {
        const SineFit fit =
            converted_tone(up ? 44100 : 48000, up ? 48000 : 44100, floor.quality, false, hz);
        CHECK(fit.snr_db() >= floor.snr);
        CHECK_NEAR(fit.level, 0.891, 1e-4);
        CHECK_NEAR(fit.phase, 0, 1e-6);  // frame k is the input at k * in / out
      }
    }
  }
}

// Images of the tone and rounding depend on its frequency: three tones say little of the others.
TEST("high and best: 140 dB at every frequency of a dense sweep, in odd chunks") {
  constexpr size_t kFrames = 6000, kChunk = 331;
  const struct {
    Quality quality;
    double pass;
  } cases[] = {{Quality::kHigh, 0.913}, {Quality::kBest, 0.95}};
  const double rates[][2] = {{48000, 44100}, {44100, 48000}, {48000, 16000}};
  for (const auto& [in_rate, out_rate] : rates) {
    for (const auto& c : cases) {
      Resampler resampler(static_cast<uint32_t>(in_rate), static_cast<uint32_t>(out_rate), 1,
                          c.quality, false);
      const double end = c.pass * std::min(in_rate, out_rate) / 2;
      double worst = 1000, worst_hz = 0;
      for (double hz = 171; hz < end; hz += hz < 6871 && hz + 134 > 6871 ? 6871 - hz : 134) {
        resampler.reset();
        const std::vector<float> in = sine(hz, in_rate, kFrames, 1, 0.891);
        std::vector<float> out(static_cast<size_t>(kFrames * out_rate / in_rate) + 2);
        size_t made = 0;
        for (size_t at = 0; at < kFrames; at += kChunk) {
          made +=
              resampler
                  .process(&in[at], std::min(kChunk, kFrames - at), &out[made], out.size() - made)
                  .produced;
        }
        const size_t count = made / 2, first = made / 4;
        const SineFit fit = fit_sine(&out[first], 1, count, [&](size_t i) {
          return hz * static_cast<double>(first + i) / out_rate;
        });
        if (fit.snr_db() < worst) {
          worst = fit.snr_db();
          worst_hz = hz;
        }
      }
      std::printf("  %g > %g, %s: %.1f dB at %g Hz\n", in_rate, out_rate,
                  c.quality == Quality::kHigh ? "high" : "best", worst, worst_hz);
      CHECK(worst >= 140);
    }
  }
}

struct BankCase {
  size_t channels, width, turns, first, count;
};

// Against sums in double precision, and each turn by itself, to the bit.
static void check_bank(const ResamplerKernel& kernel, const BankCase& c, RandomSignal* random) {
  constexpr size_t kApart = 9;  // frames between turns
  const std::vector<float> rows = random->samples(c.width * kResamplerLanes);
  const std::vector<float> in = random->samples((c.width + c.turns * kApart) * c.channels);
  const size_t out_step = (c.count + 3) * c.channels;
  std::vector<float> out(c.turns * out_step, 7), one(c.count * c.channels);
  kernel.filter_bank({rows.data(), c.width, in.data(), c.channels, c.turns, kApart * c.channels,
                      out.data(), out_step, c.first, c.count});
  for (size_t turn = 0; turn < c.turns; ++turn) {
    const float* samples = in.data() + turn * kApart * c.channels;
    kernel.filter_bank(
        {rows.data(), c.width, samples, c.channels, 1, 0, one.data(), 0, c.first, c.count});
    for (size_t n = 0; n < c.count * c.channels; ++n) {
      double sum = 0;
      for (size_t k = 0; k < c.width; ++k) {
        sum += double{rows[k * kResamplerLanes + c.first + n / c.channels]} *
               samples[k * c.channels + n % c.channels];
      }
      CHECK_NEAR(one[n], sum, 1e-5);
      CHECK(one[n] == out[turn * out_step + n]);
    }
    for (size_t n = c.count * c.channels; n < out_step; ++n) CHECK(out[turn * out_step + n] == 7);
  }
}

static void check_between(const ResamplerKernel& kernel, size_t channels, size_t width,
                          size_t frames, RandomSignal* random) {
  constexpr size_t kStride = 200;
  const std::vector<float> row = random->samples(4 * width);
  const std::vector<float> planes = random->samples(channels * kStride);
  const float t[kBetweenFrames] = {0.37f, 0.92f, 0.11f, 0.58f};
  std::vector<float> out(frames * channels), one(channels), scratch(width);
  kernel.filter_between(row.data(), t, width,
                        {planes.data(), kStride, channels, frames, 7, out.data()}, scratch.data());
  for (size_t frame = 0; frame < frames; ++frame) {
    const float* samples = planes.data() + 7 * frame;
    kernel.filter_between(row.data(), t + frame, width,
                          {samples, kStride, channels, 1, 0, one.data()}, scratch.data());
    for (size_t c = 0; c < channels; ++c) {
      double sum = 0;
      for (size_t k = 0; k < width; ++k) {
        double between = row[3 * width + k];
        for (int power = 2; power >= 0; --power) {
          between = between * t[frame] + row[static_cast<size_t>(power) * width + k];
        }
        sum += between * samples[c * kStride + k];
      }
      CHECK_NEAR(one[c], sum, 1e-4);
      CHECK(one[c] == out[frame * channels + c]);
    }
  }
}

TEST("every kernel gives the same sums, each frame's whatever is made with it") {
  RandomSignal random(5);
  int kernels = 0;
  for (const ResamplerKernel* kernel : {&kPortableKernel, avx2_kernel(), avx512_kernel()}) {
    if (kernel == nullptr) continue;
    ++kernels;
    for (size_t channels = 1; channels <= 5; ++channels) {
      for (const size_t width : {2, 18, 90}) {
        for (size_t turns = 1; turns <= 9; ++turns) {
          for (size_t first = 0; first < kResamplerLanes; first += 5) {
            check_bank(*kernel, {channels, width, turns, first, kResamplerLanes - first}, &random);
            check_bank(*kernel, {channels, width, turns, first, 1}, &random);
          }
        }
      }
      for (size_t width = 16; width <= 96; width += 16) {
        for (size_t frames = 1; frames <= kBetweenFrames; ++frames) {
          check_between(*kernel, channels, width, frames, &random);
        }
      }
    }
  }
  std::printf("  %d kernels\n", kernels);
}

TEST("AVX2 and AVX-512 give the same bits with a bank") {
  const ResamplerKernel *narrow = avx2_kernel(), *wide = avx512_kernel();
  if (narrow == nullptr || wide == nullptr) return;
  RandomSignal random(6);
  const std::vector<float> rows = random.samples(174 * kResamplerLanes);
  const std::vector<float> in = random.samples(174 * 2);
  std::vector<float> one(2 * kResamplerLanes), other(2 * kResamplerLanes);
  narrow->filter_bank({rows.data(), 174, in.data(), 2, 1, 0, one.data(), 0, 0, kResamplerLanes});
  wide->filter_bank({rows.data(), 174, in.data(), 2, 1, 0, other.data(), 0, 0, kResamplerLanes});
  CHECK(one == other);
}

TEST("the passband is flat to where the header says") {
  const struct {
    Quality quality;
    double fixed, variable;
  } edges[] = {{Quality::kLow, 0.8, 0.75},
               {Quality::kMedium, 0.875, 0.833},
               {Quality::kHigh, 0.913, 0.833},
               {Quality::kBest, 0.95, 0.907}};
  for (const auto& edge : edges) {
    for (const bool variable : {false, true}) {
      const double hz = 22050 * (variable ? edge.variable : edge.fixed);
      for (const uint32_t out_rate : {48000u, 96000u}) {
        const SineFit fit = converted_tone(44100, out_rate, edge.quality, variable, hz);
        CHECK_NEAR(decibels(fit.level / 0.891), 0, 0.001);
      }
    }
  }
}

TEST("frequencies that would alias are removed") {
  const double floors[] = {-100, -122, -137, -137};
  for (const Quality quality : kQualities) {
    for (const bool variable : {false, true}) {
      for (const uint32_t out_rate : {44100u, 16000u}) {
        for (const double above : {1.001, 1.02, 1.07}) {
          Resampler resampler(48000, out_rate, 1, quality, variable);
          const double hz = above * out_rate / 2;
          const std::vector<float> out =
              resampled(&resampler, sine(hz, 48000, 24000, 1, 0.891), 1, 48000, out_rate);
          double energy = 0;
          const size_t quarter = out.size() / 4;
          for (size_t i = quarter; i < 3 * quarter; ++i) {
            energy += static_cast<double>(out[i]) * static_cast<double>(out[i]);
          }
          const double rms = std::sqrt(energy / static_cast<double>(2 * quarter));
          CHECK(decibels(rms * std::sqrt(2.0) / 0.891) <= floors[static_cast<int>(quality)]);
        }
      }
    }
  }
}

TEST("every pair of rates works, exact phase banks or not") {
  const uint32_t rates[] = {8000, 11025, 16000, 22050, 44100, 44101, 48000, 96000, 192000, 384000};
  for (const uint32_t in_rate : rates) {
    for (const uint32_t out_rate : rates) {
      for (const bool variable : {false, true}) {
        const SineFit fit =
            converted_tone(in_rate, out_rate, Quality::kMedium, variable, 1000, 0.04);
        CHECK(fit.snr_db() >= 120);
        CHECK_NEAR(fit.phase, 0, 1e-5);
      }
    }
  }
}

TEST("the length is exact, also where the ratio is awkward") {
  const uint32_t pairs[][2] = {{44100, 48000}, {48000, 44100}, {44101, 48000},  {48000, 44101},
                               {383999, 8000}, {8000, 383999}, {48000, 48000},  {11025, 16000},
                               {48000, 16000}, {16000, 48000}, {192000, 48000}, {96000, 8000},
                               {8000, 384000}, {384000, 8000}};
  for (const auto& [in_rate, out_rate] : pairs) {
    for (const uint64_t frames : {1u, 2u, 999u, 100003u}) {
      Resampler resampler(in_rate, out_rate, 1, Quality::kLow, false);
      const std::vector<float> in(frames, 0.5f);
      const size_t out = resampled(&resampler, in, 1, in_rate, out_rate).size();
      CHECK(out == (frames * out_rate + in_rate - 1) / in_rate);
    }
  }
}

// Near a ratio of 2 the half-band filter has little room to fall, and is later.
TEST("cascades: flat and clean as the one filter would be, and not later above a ratio of 2.5") {
  const uint32_t pairs[][2] = {{48000, 16000},  {16000, 48000}, {96000, 16000}, {16000, 96000},
                               {192000, 48000}, {48000, 8000},  {8000, 48000},  {44100, 16000},
                               {11025, 44100},  {384000, 8000}, {8000, 384000}, {96000, 44100},
                               {44100, 96000}};
  const struct {
    Quality quality;
    double pass, snr, periods;
  } cases[] = {{Quality::kLow, 0.8, 110, 50},
               {Quality::kMedium, 0.875, 135.5, 75},  // the image of a tone at its edge
               {Quality::kHigh, 0.913, 138, 100},
               {Quality::kBest, 0.95, 137, 162}};
  for (const auto& [in_rate, out_rate] : pairs) {
    const double low = std::min(in_rate, out_rate);
    for (const auto& c : cases) {
      for (const double share : {0.125, c.pass}) {
        const SineFit fit =
            converted_tone(in_rate, out_rate, c.quality, false, share * low / 2, 1600 / low);
        CHECK_NEAR(decibels(fit.level / 0.891), 0, 0.001);
        CHECK_NEAR(fit.phase, 0, 1e-6);
        CHECK(fit.snr_db() >= c.snr);
      }
      const Resampler resampler(in_rate, out_rate, 1, c.quality, false);
      const double later = std::max(in_rate, out_rate) / low < 2.5 ? 62 : 0;
      CHECK(static_cast<double>(resampler.latency_in()) / in_rate * low <= c.periods + later);
    }
  }
}

TEST("cascades: tones that the lower rate cannot carry are gone, and have no image") {
  const uint32_t pairs[][2] = {
      {48000, 16000}, {192000, 48000}, {384000, 8000}, {16000, 48000}, {8000, 96000}};
  const double floors[] = {-100, -124, -137, -137};
  for (const auto& [in_rate, out_rate] : pairs) {
    for (const Quality quality : kQualities) {
      for (int n = 0; n < 12; ++n) {
        const double share = (n + 0.5) / 12;
        const bool down = in_rate > out_rate;
        const double hz = down ? 0.5 * (out_rate * 1.001 + share * (in_rate - out_rate * 1.001))
                               : 0.5 * in_rate * share * 0.95;
        const SineFit fit =
            converted_tone(in_rate, out_rate, quality, false, hz, down ? 0.05 : 0.1);
        const double rest = fit.rest_rms * std::sqrt(2.0);
        const double wrong = down ? std::hypot(fit.level, rest) : rest;
        CHECK(decibels(wrong / 0.891) <= floors[static_cast<int>(quality)]);
      }
    }
  }
}

TEST("the first frames are filtered as if silence had come before") {
  const uint32_t pairs[][2] = {{44100, 48000}, {48000, 44100}, {48000, 16000}, {16000, 48000},
                               {96000, 8000},  {8000, 96000},  {44100, 16000}, {44101, 48000}};
  for (const auto& [in_rate, out_rate] : pairs) {
    Resampler resampler(in_rate, out_rate, 2, Quality::kHigh, false);
    const Resampler::Skip silence = resampler.skip_silence(in_rate);
    const std::vector<float> sound = RandomSignal(12).samples(2 * 3000);
    std::vector<float> later(2 * silence.in_frames);
    later.insert(later.end(), sound.begin(), sound.end());
    const std::vector<float> now = resampled(&resampler, sound, 2, in_rate, out_rate);
    resampler.reset();
    std::vector<float> then = resampled(&resampler, later, 2, in_rate, out_rate);
    then.erase(then.begin(), then.begin() + static_cast<long>(2 * silence.out_frames));
    CHECK(silence.in_frames > 0);
    CHECK(now == then);
  }
}

TEST("variable: the tone stays pure while the ratio moves at every block") {
  const struct {
    uint32_t in_rate, out_rate;
    Quality quality;
    double hz, snr;
  } cases[] = {
      {48000, 48000, Quality::kMedium, 1000, 138}, {48000, 48000, Quality::kMedium, 15000, 138},
      {48000, 48000, Quality::kHigh, 1000, 138},   {48000, 48000, Quality::kHigh, 15000, 138},
      {44100, 48000, Quality::kHigh, 15000, 136},  {48000, 44100, Quality::kHigh, 15000, 136}};
  for (const auto& c : cases) {
    Resampler resampler(c.in_rate, c.out_rate, 1, c.quality, true);
    const std::vector<float> in = sine(c.hz, c.in_rate, c.in_rate, 1, 0.891);
    const size_t block = 240;
    std::vector<float> out;
    std::vector<double> turns;
    size_t consumed = 0;
    for (int n = 0; n < 120; ++n) {
      resampler.set_ratio(1 + 300e-6 * std::sin(n * 0.4));
      const double from = static_cast<double>(consumed) + resampler.position();
      out.resize(out.size() + block);
      const auto step = resampler.process(in.data() + consumed, in.size() - consumed,
                                          out.data() + out.size() - block, block);
      CHECK(step.produced == block);
      consumed += step.consumed;
      const double to = static_cast<double>(consumed) + resampler.position();
      for (size_t i = 0; i < block; ++i) {
        const double at = from + (to - from) * static_cast<double>(i) / block;
        turns.push_back(at * c.hz / c.in_rate);
      }
    }
    const size_t skip = 2 * block;
    const SineFit fit = fit_sine(out.data() + skip, 1, out.size() - skip,
                                 [&](size_t i) { return turns[skip + i]; });
    CHECK(fit.snr_db() >= c.snr);
    CHECK_NEAR(fit.phase, 0, 1e-6);
  }
}

TEST("variable: latency at 48 kHz is at most 1.5 ms up to high quality") {
  for (const Quality quality : {Quality::kLow, Quality::kMedium, Quality::kHigh}) {
    CHECK(Resampler(48000, 48000, 1, quality, true).latency_in() <= 72);
  }
  CHECK(Resampler(48000, 48000, 1, Quality::kMedium, true).latency_in() <= 48);
}

TEST("variable: ratios are clamped to 1 %, nonsense is ignored, nominal is exact") {
  const auto consumed = [](double ratio) {
    Resampler resampler(44100, 48000, 1, Quality::kLow, true);
    if (ratio != 1) resampler.set_ratio(ratio);
    return resampler.needed_for(480001) - resampler.latency_in();
  };
  CHECK(consumed(1) == 441001);
  CHECK_NEAR(static_cast<double>(consumed(2)), 445411, 1);
  CHECK_NEAR(static_cast<double>(consumed(-1)), 436591, 1);
  CHECK(consumed(std::numeric_limits<double>::quiet_NaN()) == 441001);
  CHECK_NEAR(static_cast<double>(consumed(1 + 1e-4)), 441045, 1);
}

TEST("fixed: set_ratio does nothing; equal rates pass bit for bit without latency") {
  Resampler resampler(48000, 48000, 3, Quality::kBest, false);
  CHECK(resampler.latency_in() == 0);
  resampler.set_ratio(1.01);
  const std::vector<float> in = RandomSignal(7).samples(3 * 5000);
  CHECK(resampled(&resampler, in, 3, 48000, 48000) == in);
}

TEST("NaN, infinity and denormals count as zeros and leave no trace") {
  RandomSignal random(8);
  std::vector<float> clean = random.samples(2 * 3000), spoilt = clean;
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(),
                       std::numeric_limits<float>::infinity(), -3e38f,
                       std::numeric_limits<float>::denorm_min(), 1e-30f};
  for (int i = 0; i < 500; ++i) {
    const size_t at = random.whole(0, 5999);
    clean[at] = 0;
    spoilt[at] = bad[i % 5];
  }
  Resampler resampler(44100, 48000, 2, Quality::kHigh, false);
  const std::vector<float> expected = resampled(&resampler, clean, 2, 44100, 48000);
  resampler.reset();
  CHECK(resampled(&resampler, spoilt, 2, 44100, 48000) == expected);
}

TEST("a hole is skipped in constant time, and what follows is bit for bit the same") {
  const uint32_t pairs[][2] = {{44100, 48000}, {48000, 16000}, {16000, 48000},
                               {44101, 48000}, {96000, 11025}, {48000, 48000}};
  for (const auto& [in_rate, out_rate] : pairs) {
    Resampler through(in_rate, out_rate, 2, Quality::kMedium, false);
    Resampler skipping(in_rate, out_rate, 2, Quality::kMedium, false);
    const std::vector<float> before = RandomSignal(9).samples(2 * 777);
    const std::vector<float> after = RandomSignal(10).samples(2 * 1234);
    const size_t hole = 3 * in_rate + 17;
    constexpr size_t kRoom = 500000;
    std::vector<float> whole(2 * kRoom), parts(2 * kRoom);
    const auto feed = [](Resampler* resampler, const float* in, size_t frames,
                         std::vector<float>* out, size_t* at) {
      const auto step = resampler->process(in, frames, out->data() + 2 * *at, kRoom - *at);
      CHECK(step.consumed == frames);
      *at += step.produced;
    };
    size_t made = 0, skipped = 0;
    feed(&through, before.data(), 777, &whole, &made);
    feed(&through, nullptr, hole, &whole, &made);
    feed(&through, after.data(), 1234, &whole, &made);

    feed(&skipping, before.data(), 777, &parts, &skipped);
    if (skipping.latency_in() > 0) CHECK(skipping.skip_silence(hole).in_frames == 0);
    const size_t memory = 2 * skipping.latency_in() + 1;
    feed(&skipping, nullptr, memory, &parts, &skipped);
    const Resampler::Skip skip = skipping.skip_silence(hole - memory);
    // The filters' period is a few of the ratio's; what is short of one is not skipped.
    CHECK(skip.in_frames <= hole - memory && hole - memory - skip.in_frames < in_rate);
    CHECK(skip.in_frames * out_rate == skip.out_frames * in_rate);
    skipped += skip.out_frames;
    feed(&skipping, nullptr, hole - memory - skip.in_frames, &parts, &skipped);
    feed(&skipping, after.data(), 1234, &parts, &skipped);
    CHECK(made == skipped);
    CHECK(whole == parts);
  }
}

TEST("hours of silence are skipped without counting them") {
  Resampler resampler(44100, 48000, 1, Quality::kBest, false);
  const Resampler::Skip skip = resampler.skip_silence(uint64_t{44100} * 3600 * 24 * 365);
  CHECK(skip.in_frames == uint64_t{44100} * 3600 * 24 * 365);
  CHECK(skip.out_frames == uint64_t{48000} * 3600 * 24 * 365);
}

TEST("fuzz: any cut of the input and output gives the same bytes and keeps its promises") {
  RandomSignal random(11);
  for (int round = 0; round < 200; ++round) {
    const uint32_t channels = random.whole(0, 3) == 0 ? random.whole(1, 32) : random.whole(1, 3);
    const bool usual = random.whole(0, 1) == 0;
    const uint32_t usual_rates[] = {8000, 16000, 44100, 48000, 96000, 192000};
    const uint32_t in_rate = usual ? usual_rates[random.whole(0, 5)] : random.whole(8000, 96000);
    const uint32_t out_rate = usual ? usual_rates[random.whole(0, 5)] : random.whole(8000, 96000);
    const bool variable = random.whole(0, 1) == 0;
    const Quality quality = kQualities[random.whole(0, 1)];
    const size_t frames = random.whole(1, 3000);
    Resampler resampler(in_rate, out_rate, channels, quality, variable);
    const double ratio = variable ? random.real(0.99, 1.01) : 1;
    resampler.set_ratio(ratio);
    const std::vector<float> in = random.samples(frames * channels);
    std::vector<float> whole((frames * out_rate / in_rate + frames / 50 + 60) * channels);
    const size_t room = whole.size() / channels;
    const auto all = resampler.process(in.data(), frames, whole.data(), room);
    CHECK(all.consumed == frames && all.produced < room);

    resampler.reset();
    resampler.set_ratio(ratio);
    std::vector<float> cut(whole.size());
    size_t consumed = 0, produced = 0;
    const long before = allocations;
    while (consumed < frames) {
      const size_t offered = std::min<size_t>(frames - consumed, random.whole(0, 900));
      const size_t asked = std::min<size_t>(room - produced, random.whole(0, 900));
      const size_t needed = resampler.needed_for(asked);
      const double position = resampler.position();
      const auto step = resampler.process(in.data() + consumed * channels, offered,
                                          cut.data() + produced * channels, asked);
      CHECK(step.consumed == std::min(offered, needed));
      CHECK((step.produced == asked) == (offered >= needed));
      consumed += step.consumed;
      produced += step.produced;
      const double moved = resampler.position() + static_cast<double>(step.consumed) - position;
      CHECK_NEAR(moved, static_cast<double>(step.produced) * ratio * in_rate / out_rate, 1e-4);
    }
    CHECK(allocations == before);
    // The last turn may have stopped for want of room, not of input.
    produced +=
        resampler.process(nullptr, 0, cut.data() + produced * channels, room - produced).produced;
    CHECK(produced == all.produced);
    CHECK(whole == cut);
  }
}
