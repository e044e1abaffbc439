// Compares resamplers: how fast, how clean, how late. Prints one JSON object.
//
//     resampler speed        one round: times real time, every engine once for every conversion
//     resampler quality      SNR of tones, worst alias or image, latency, SNR while the ratio moves
//     resampler spectrum D   into folder D a file for each engine: 15 kHz converted 44.1 > 48 kHz,
//                            left channel, f32
#include <time.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "../../src/core/signal/resampler_kernel.h"
#include "../../test/native/sine_fit.h"
#include "engine.h"

namespace {

constexpr double kLevel = 0.8912509;  // -1 dBFS

struct Conversion {
  const char* name;
  double in_rate, out_rate;
};
constexpr Conversion kConversions[] = {
    {"48 > 44.1", 48000, 44100}, {"44.1 > 48", 44100, 48000},
    {"48 > 16", 48000, 16000},   {"96 > 44.1", 96000, 44100},
    {"44.1 > 16", 44100, 16000}, {"48 > 48 + 100 ppm", 48004.8, 48000}};

double decibels(double level) { return 20 * std::log10(std::max(level, 1e-15)); }

// Time of this thread only: other programs' turns do not count.
double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// The left channel of the converted `in`, in blocks of the usual size.
std::vector<float> converted(Engine* engine, const std::vector<float>& in) {
  std::vector<float> out, block(64 * 1024 * kChannels);
  for (size_t at = 0; at + kBlock * kChannels <= in.size(); at += kBlock * kChannels) {
    const size_t frames = engine->run(&in[at], kBlock, block.data(), block.size() / kChannels);
    for (size_t i = 0; i < frames; ++i) out.push_back(block[i * kChannels]);
  }
  return out;
}

// Removes a tone of slowly changing level and phase from a piece of signal and returns the energy
// of the rest. The tone is sine and cosine, each times 1, t, t^2. `turns` is the expected phase.
double rest_energy(const float* samples, const double* turns, size_t count, double* tone_energy) {
  constexpr size_t kTerms = 6;
  std::array<std::array<double, kTerms + 1>, kTerms> m{};
  std::vector<std::array<double, kTerms>> rows(count);
  for (size_t i = 0; i < count; ++i) {
    const double t = 2 * (static_cast<double>(i) + 0.5) / static_cast<double>(count) - 1;
    const double s = std::sin(2 * kPi * turns[i]), c = std::cos(2 * kPi * turns[i]);
    rows[i] = {s, c, s * t, c * t, s * t * t, c * t * t};
    for (size_t a = 0; a < kTerms; ++a) {
      for (size_t b = 0; b < kTerms; ++b) m[a][b] += rows[i][a] * rows[i][b];
      m[a][kTerms] += rows[i][a] * double{samples[i]};
    }
  }
  for (size_t p = 0; p < kTerms; ++p) {  // positive definite: no pivots needed
    for (size_t a = 0; a < kTerms; ++a) {
      if (a == p) continue;
      const double share = m[a][p] / m[p][p];
      for (size_t b = p; b <= kTerms; ++b) m[a][b] -= share * m[p][b];
    }
  }
  double rest = 0;
  for (size_t i = 0; i < count; ++i) {
    double tone = 0;
    for (size_t a = 0; a < kTerms; ++a) tone += rows[i][a] * m[a][kTerms] / m[a][a];
    rest += (double{samples[i]} - tone) * (double{samples[i]} - tone);
    *tone_energy += tone * tone;
  }
  return rest;
}

struct Fit {
  double snr_db, rest_rms;
};

// Fits the middle half. If only a steady sine were removed, a ratio that is off by its last bit
// would count as noise.
Fit fit_middle(const std::vector<float>& out, double hz, double rate) {
  const size_t count = out.size() / 2;
  std::vector<double> turns(count);
  for (size_t i = 0; i < count; ++i) {
    const double at = hz * static_cast<double>(i) / rate;
    turns[i] = at - std::floor(at);
  }
  double tone = 0;
  const double rest = rest_energy(out.data() + out.size() / 4, turns.data(), count, &tone);
  return {10 * std::log10(tone / rest), std::sqrt(rest / static_cast<double>(count))};
}

double x_real_time(const EngineKind& kind, const Conversion& conversion) {
  const std::vector<float> in = sine(997, conversion.in_rate, kBlock * 100, kChannels, kLevel);
  std::vector<float> out(8 * kBlock * kChannels + 65536 * kChannels);
  const auto engine = kind.make(conversion.in_rate, conversion.out_rate);
  if (!engine) return 0;
  size_t next = 0;
  const auto run = [&](size_t blocks) {
    const double start = cpu_seconds();
    for (size_t i = 0; i < blocks; ++i, next = (next + 1) % 100) {
      engine->run(&in[next * kBlock * kChannels], kBlock, out.data(), out.size() / kChannels);
    }
    return cpu_seconds() - start;
  };
  // As many rounds as take 40 ms, judged by the warm-up.
  const double guess = run(20) / 20;
  const auto blocks = static_cast<size_t>(std::clamp(0.04 / guess, 20.0, 1e5));
  return static_cast<double>(blocks * kBlock) / conversion.in_rate / run(blocks);
}

void print_speed() {
  std::printf("{");
  const char* comma = "";
  for (const Conversion& conversion : kConversions) {
    std::printf("%s\n\"%s\":{", comma, conversion.name);
    comma = "";
    for (const EngineKind& kind : engine_kinds()) {
      const double times = x_real_time(kind, conversion);
      if (times == 0) continue;
      std::printf("%s\"%s\":%.4g", comma, kind.name.c_str(), times);
      comma = ",";
    }
    std::printf("}");
    comma = ",";
  }
  std::printf("}\n");
}

// The worst level of an alias or image, relative to the input's: for tones above half the output's
// rate all output counts, for tones below it everything except the tone.
double worst_alias_db(const EngineKind& kind, const Conversion& c) {
  const double in_half = c.in_rate / 2, out_half = c.out_rate / 2;
  double worst = -400;
  for (int i = 0; i < 14; ++i) {
    const double from = in_half > out_half * 1.01 ? out_half * 1.001 : in_half * 0.75;
    const double hz = from + (in_half * 0.995 - from) * i / 13;
    const std::vector<float> out = converted(kind.make(c.in_rate, c.out_rate).get(),
                                             sine(hz, c.in_rate, 28800, kChannels, kLevel));
    double rms = 0;
    if (hz < out_half) {
      rms = fit_middle(out, hz, c.out_rate).rest_rms;
    } else {
      for (size_t k = out.size() / 4; k < out.size() * 3 / 4; ++k) rms += double{out[k]} * out[k];
      rms = std::sqrt(rms / static_cast<double>(out.size() / 2));
    }
    worst = std::max(worst, decibels(rms * std::sqrt(2.0) / kLevel));
  }
  return worst;
}

// The longest time that an input frame waits for its output, given one frame at a time: input given
// minus output received, plus the delay within the output, which is the place of an impulse.
double latency_ms(const EngineKind& kind, const Conversion& c) {
  const size_t impulse = 9600, total = 24000;
  const auto engine = kind.make(c.in_rate, c.out_rate);
  std::vector<float> out(65536 * kChannels);
  double weight = 0, moment = 0, behind = 0;
  size_t produced = 0;
  for (size_t n = 0; n < total; ++n) {
    const float frame[kChannels] = {n == impulse ? 1.0f : 0.0f, 0.0f};
    const size_t got = engine->run(frame, 1, out.data(), out.size() / kChannels);
    // Before this frame's output is counted.
    if (n > impulse) {
      behind = std::max(behind, static_cast<double>(n + 1) / c.in_rate -
                                    static_cast<double>(produced) / c.out_rate);
    }
    for (size_t i = 0; i < got; ++i) {
      const double energy = double{out[i * kChannels]} * out[i * kChannels];
      weight += energy;
      moment += energy * static_cast<double>(produced + i);
    }
    produced += got;
  }
  const double delay = moment / weight / c.out_rate - static_cast<double>(impulse) / c.in_rate;
  return (behind + delay) * 1e3;
}

// The ratio moves by up to 6 ppm each block, within 200 ppm. Each piece of the signal is fitted
// separately, so that only sound beside the tone counts.
double moving_snr_db(const EngineKind& kind, double hz) {
  const double rate = 48000;
  const auto engine = kind.make(rate, rate);
  const std::vector<float> in = sine(hz, rate, 96000, kChannels, kLevel);
  std::vector<float> out, block(65536 * kChannels);
  std::vector<double> turns;
  double at = 0;
  for (size_t n = 0; n < 200; ++n) {
    const double ratio = 1 + 200e-6 * std::sin(2 * kPi * static_cast<double>(n) / 200);
    engine->set_ratio(ratio);
    const size_t frames =
        engine->run(&in[n * kBlock * kChannels], kBlock, block.data(), block.size() / kChannels);
    for (size_t i = 0; i < frames; ++i, at += ratio * hz / rate) {
      out.push_back(block[i * kChannels]);
      turns.push_back(at - std::floor(at));
    }
  }
  double rest = 0, tone = 0;
  const size_t piece = 400;
  for (size_t i = 9600; i + piece < out.size() - 4800; i += piece) {
    rest += rest_energy(&out[i], &turns[i], piece, &tone);
  }
  return 10 * std::log10(tone / rest);
}

void print_quality() {
  std::printf("{\"kernel\":\"%s\"", patchcord::avx512_kernel() ? "AVX-512"
                                    : patchcord::avx2_kernel() ? "AVX2 with FMA"
                                                               : "baseline");
  for (const EngineKind& kind : engine_kinds()) {
    std::printf(",\n\"%s\":{", kind.name.c_str());
    const char* comma = "";
    for (const Conversion& c : kConversions) {
      if (!kind.make(c.in_rate, c.out_rate)) continue;
      std::printf("%s\"%s\":{\"snrDb\":{", comma, c.name);
      comma = "";
      for (const double hz : {1000.0, 7000.0, 15000.0}) {
        if (hz > 0.45 * c.out_rate) continue;
        const std::vector<float> out = converted(kind.make(c.in_rate, c.out_rate).get(),
                                                 sine(hz, c.in_rate, 48000, kChannels, kLevel));
        std::printf("%s\"%g\":%.1f", comma, hz, fit_middle(out, hz, c.out_rate).snr_db);
        comma = ",";
      }
      std::printf("},\"aliasDb\":%.1f,\"latencyMs\":%.2f}", worst_alias_db(kind, c),
                  latency_ms(kind, c));
      comma = ",";
    }
    if (kind.moves) {
      std::printf(",\"moving\":{\"1000\":%.1f,\"15000\":%.1f}", moving_snr_db(kind, 1000),
                  moving_snr_db(kind, 15000));
    }
    std::printf("}");
    std::fflush(stdout);
  }
  std::printf("}\n");
}

bool write_spectra(const std::string& folder) {
  for (const EngineKind& kind : engine_kinds()) {
    const std::vector<float> out =
        converted(kind.make(44100, 48000).get(), sine(15000, 44100, 88200, kChannels, kLevel));
    std::FILE* file = std::fopen((folder + "/" + kind.name + ".f32").c_str(), "wb");
    if (file == nullptr) return false;
    const bool ok = std::fwrite(out.data(), sizeof(float), out.size(), file) == out.size();
    if (std::fclose(file) != 0 || !ok) return false;
  }
  std::printf("{}\n");
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "speed") {
    print_speed();
  } else if (what == "quality") {
    print_quality();
  } else if (what != "spectrum" || argc != 3 || !write_spectra(argv[2])) {
    std::fprintf(stderr, "resampler speed | quality | spectrum FOLDER\n");
    return 1;
  }
}
