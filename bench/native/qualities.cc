// Measures each quality of the resampler: flatness, distortion, latency, cost. Prints one JSON
// array, for docs/resampling.md.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "../../src/core/signal/resampler.h"
#include "../../test/native/sine_fit.h"

using namespace patchcord;

namespace {

constexpr double kLevel = 0.8912509;  // -1 dBFS
constexpr uint32_t kChannels = 2;
// The ratio for the variable ones: 100 ppm, in whole steps of their counter.
constexpr double kMoved = 1 + 429497 * 0x1p-32;
constexpr double kFlatDb = 0.01;
constexpr int kAliasTones = 60;
constexpr int kRounds = 15;

struct Kind {
  ResamplerQuality quality;
  const char* name;
  bool variable;
};
constexpr Kind kKinds[] = {
    {ResamplerQuality::kLow, "low", false},      {ResamplerQuality::kMedium, "medium", false},
    {ResamplerQuality::kHigh, "high", false},    {ResamplerQuality::kBest, "best", false},
    {ResamplerQuality::kMedium, "medium", true},
};
constexpr size_t kReference = 2;

double decibels(double level) { return 20 * std::log10(std::max(level, 1e-15)); }

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

// The middle of a converted tone, left channel.
std::vector<float> converted(const Kind& kind, uint32_t in_rate, uint32_t out_rate, double hz,
                             double seconds) {
  Resampler resampler(in_rate, out_rate, kChannels, kind.quality, kind.variable);
  resampler.set_ratio(kMoved);
  const auto frames = static_cast<size_t>(seconds * in_rate) + 4 * resampler.latency_in();
  const std::vector<float> in = sine(hz, in_rate, frames, kChannels, kLevel);
  std::vector<float> out((frames * out_rate / in_rate + 2) * kChannels);
  const size_t made =
      resampler.process(in.data(), frames, out.data(), out.size() / kChannels).produced;
  std::vector<float> middle;
  for (size_t i = made / 4; i < 3 * made / 4; ++i) middle.push_back(out[i * kChannels]);
  return middle;
}

SineFit fitted(const Kind& kind, uint32_t in_rate, uint32_t out_rate, double hz) {
  const std::vector<float> out = converted(kind, in_rate, out_rate, hz, 0.5);
  const double turns = hz * (kind.variable ? kMoved : 1) / out_rate;
  return fit_sine(out.data(), 1, out.size(),
                  [=](size_t i) { return turns * static_cast<double>(i); });
}

// The frequency in Hz up to which tones keep their level.
double flat_to(const Kind& kind, uint32_t in_rate, uint32_t out_rate) {
  double low = 0.5 * std::min(in_rate, out_rate) * 0.6, high = 0.5 * std::min(in_rate, out_rate);
  while (high - low > 5) {
    const double hz = (low + high) / 2;
    const double off = decibels(fitted(kind, in_rate, out_rate, hz).level / kLevel);
    (std::fabs(off) <= kFlatDb ? low : high) = hz;
  }
  return low;
}

// The strongest remainder of a tone that the lower rate cannot carry.
double worst_alias_db(const Kind& kind, uint32_t in_rate, uint32_t out_rate) {
  double worst = -300;
  for (int n = 0; n < kAliasTones; ++n) {
    const double share = (n + 0.5) / kAliasTones;
    const double hz = 0.5 * (out_rate + share * (in_rate - out_rate));
    double energy = 0;
    const std::vector<float> out = converted(kind, in_rate, out_rate, hz, 0.25);
    for (const float sample : out) {
      energy += static_cast<double>(sample) * static_cast<double>(sample);
    }
    const double rms = std::sqrt(energy / static_cast<double>(out.size()));
    worst = std::max(worst, decibels(rms * std::sqrt(2.0) / kLevel));
  }
  return worst;
}

// Time of this thread only: other programs' turns do not count.
double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double seconds_for(const Kind& kind, uint32_t in_rate, uint32_t out_rate) {
  constexpr size_t kBlock = 480;
  Resampler resampler(in_rate, out_rate, kChannels, kind.quality, kind.variable);
  resampler.set_ratio(kMoved);
  const std::vector<float> in = sine(997, in_rate, kBlock, kChannels, kLevel);
  std::vector<float> out(4 * kBlock * kChannels);
  const double start = cpu_seconds();
  for (int n = 0; n < 1000; ++n) resampler.process(in.data(), kBlock, out.data(), 4 * kBlock);
  return cpu_seconds() - start;
}

double latency_ms(const Kind& kind, uint32_t in_rate, uint32_t out_rate) {
  const Resampler resampler(in_rate, out_rate, 1, kind.quality, kind.variable);
  return 1e3 * static_cast<double>(resampler.latency_in()) / in_rate;
}

}  // namespace

int main() {
  // Each round runs all of them, so that a machine that slows down favours none.
  std::vector<std::vector<double>> costs(std::size(kKinds));
  for (int round = 0; round < kRounds; ++round) {
    double times[std::size(kKinds)];
    for (size_t k = 0; k < std::size(kKinds); ++k) {
      times[k] = seconds_for(kKinds[k], 48000, kKinds[k].variable ? 48000 : 44100);
    }
    for (size_t k = 0; k < std::size(kKinds); ++k) costs[k].push_back(times[k] / times[kReference]);
  }
  for (size_t k = 0; k < std::size(kKinds); ++k) {
    const Kind& kind = kKinds[k];
    const uint32_t up = kind.variable ? 48000 : 44100;
    std::printf("%s{\"quality\":\"%s\",\"variable\":%s,\"in\":%u,\"flatHz\":%.0f,\"snrDb\":[",
                k == 0 ? "[" : ",\n", kind.name, kind.variable ? "true" : "false", up,
                flat_to(kind, up, 48000));
    const double tones[] = {1000, 7000, 15000};
    for (const double hz : tones) {
      std::printf("%s%.1f", hz == tones[0] ? "" : ",", fitted(kind, up, 48000, hz).snr_db());
    }
    std::printf("],\"aliasDb\":[%.1f,%.1f],\"latencyMs\":[%.2f,%.2f],\"cost\":%.3f}",
                worst_alias_db(kind, 48000, 44100), worst_alias_db(kind, 48000, 16000),
                latency_ms(kind, up, 48000), latency_ms(kind, 48000, 16000), median(costs[k]));
  }
  std::printf("]\n");
}
