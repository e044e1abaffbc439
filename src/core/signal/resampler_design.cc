#include "resampler_design.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <numeric>
#include <utility>

#include "kaiser.h"

namespace patchcord {
namespace {

struct Spec {
  const LowPass& low_pass;
  double stopband_db;  // the attenuation of the steps around it
};

Spec spec_of(ResamplerQuality quality, bool variable) {
  switch (quality) {
    case ResamplerQuality::kLow:
      return {variable ? kVariableLow : kFixedLow, 112};
    case ResamplerQuality::kMedium:
      return {variable ? kVariableMedium : kFixedMedium, 147};
    case ResamplerQuality::kHigh:
      return {variable ? kVariableHigh : kFixedHigh, 147};
    case ResamplerQuality::kBest:
      break;
  }
  return {variable ? kVariableBest : kFixedBest, 147};
}

// With more phases than this (44.1 to 192 kHz has 640), a bank outgrows the second-level cache, and
// cubic interpolation makes the same coefficients at less cost.
constexpr size_t kMaxBankRows = 640;

// A bank contains several periods as long as it fits into the first-level cache.
constexpr size_t kMaxRepeatedFloats = 8 * 1024;

// A cubic through 128 phases of an input frame is off by 1e-8 at most. A filter for a lower output
// rate is wider and smoother in proportion, so it needs fewer phases.
constexpr double kInterpolatedRows = 128;
constexpr size_t kMinInterpolatedRows = 16;

// So many designs are kept when no resampler uses them: an app that converts one recording after
// the other makes and drops a resampler for each. None takes more than a few MB.
constexpr size_t kKeptDesigns = 4;

size_t round_up(size_t value, size_t step) { return (value + step - 1) / step * step; }

double scale_of(const ResamplerRatio& ratio) { return std::max(1.0, ratio.in_per_out()); }

size_t taps_of(const LowPass& low_pass, const ResamplerRatio& ratio) {
  return round_up(static_cast<size_t>(std::ceil(low_pass.support * scale_of(ratio))), 2);
}

// A low-pass filter scaled to a ratio.
class Prototype {
 public:
  Prototype(const LowPass& low_pass, double scale, size_t taps)
      : low_pass_(low_pass), length_(low_pass.support * scale), taps_(taps) {}

  // Taps at whole input frames around a position `phase` (0 to 1) after a frame. Their sum is
  // exactly 1, so that all rows have the same level and DC makes no image.
  void row(double phase, double* to) const {
    const double first = -static_cast<double>(taps_ / 2 - 1) - phase;
    double sum = 0;
    for (size_t k = 0; k < taps_; k += kTogether) {
      double made[kTogether];
      values(first + static_cast<double>(k), made);
      for (size_t n = 0; n < std::min(kTogether, taps_ - k); ++n) sum += to[k + n] = made[n];
    }
    for (size_t k = 0; k < taps_; ++k) to[k] /= sum;
  }

 private:
  static constexpr size_t kTogether = 8;  // independent recurrences, computed together

  // Values at `time` and the frames after it, by Clenshaw's recurrence for a sum of cosines.
  void values(double time, double* to) const {
    double place[kTogether], twice[kTogether], last[kTogether] = {}, before[kTogether] = {};
    for (size_t n = 0; n < kTogether; ++n) {
      place[n] = (time + static_cast<double>(n)) / length_;
      twice[n] = 2 * std::cos(2 * kPi * place[n]);
    }
    for (size_t m = low_pass_.count - 1; m > 0; --m) {
      for (size_t n = 0; n < kTogether; ++n) {
        const double next = low_pass_.cosines[m] + twice[n] * last[n] - before[n];
        before[n] = last[n];
        last[n] = next;
      }
    }
    for (size_t n = 0; n < kTogether; ++n) {
      const double value = low_pass_.cosines[0] + twice[n] / 2 * last[n] - before[n];
      to[n] = std::fabs(place[n]) < 0.5 ? value : 0;
    }
  }

  const LowPass& low_pass_;
  double length_;  // input frames
  size_t taps_;
};

// Lagrange's cubic through the rows at -1, 0, 1, 2, in powers of the distance from row 0 to row 1.
void fill_cubics(const Prototype& prototype, const CubicDesign& design, ResamplerTable* table) {
  const size_t taps = design.taps, width = design.width, rows = design.rows;
  std::vector<double> grid((rows + 3) * taps);
  for (size_t p = 0; p < rows + 3; ++p) {
    const double phase = (static_cast<double>(p) - 1) / static_cast<double>(rows);
    prototype.row(phase, grid.data() + p * taps);
  }
  table->resize(rows * 4 * width / kResamplerLanes);
  float* to = samples(table);
  for (size_t p = 0; p < rows; ++p, to += 4 * width) {
    for (size_t k = 0; k < taps; ++k) {
      const double before = grid[p * taps + k], here = grid[(p + 1) * taps + k];
      const double next = grid[(p + 2) * taps + k], after = grid[(p + 3) * taps + k];
      to[k] = static_cast<float>(here);
      to[width + k] = static_cast<float>(next - before / 3 - here / 2 - after / 6);
      to[2 * width + k] = static_cast<float>((before + next) / 2 - here);
      to[3 * width + k] = static_cast<float>((after - before) / 6 + (here - next) / 2);
    }
  }
}

// The half of a half-band filter that follows its middle, from the end inwards.
std::vector<double> half_band_taps(size_t side, double stopband_db) {
  const double shape = kaiser_shape(stopband_db);
  const double half = 2 * static_cast<double>(side);  // the window's half length, in frames
  std::vector<double> taps(side);
  double sum = 0;
  for (size_t k = 0; k < side; ++k) {
    const double time = half - 1 - 2 * static_cast<double>(k);  // odd numbers of frames
    taps[k] = std::sin(kPi * time / 2) / time * kaiser(shape, time / half);
    sum += taps[k];
  }
  for (double& tap : taps) tap *= 0.5 / sum;
  return taps;
}

// The largest response in the stop band.
double half_band_leak(const std::vector<double>& taps, double pass) {
  constexpr int kPoints = 200;
  double most = 0;
  for (int n = 0; n <= kPoints; ++n) {
    const double turn = 2 * kPi * (0.5 - pass * n / kPoints);
    double response = 0.5;
    for (size_t k = 0; k < taps.size(); ++k) {
      const double time = 2 * static_cast<double>(taps.size() - k) - 1;
      response += taps[k] * std::cos(turn * time);
    }
    most = std::max(most, std::fabs(response));
  }
  return most;
}

// Kaiser's formula is off by a few dB if the transition is wide, so the result is measured.
std::vector<float> half_of(double pass, double stopband_db, float gain) {
  const double length = kaiser_length(stopband_db, 0.5 - 2 * pass);
  const double allowed = std::pow(10, -stopband_db / 20);
  std::vector<double> exact;
  for (auto side = static_cast<size_t>(std::ceil((length + 2) / 4));; ++side) {
    exact = half_band_taps(side, stopband_db);
    if (half_band_leak(exact, pass) <= allowed) break;
  }
  std::vector<float> half;
  for (const double tap : exact) half.push_back(static_cast<float>(tap) * gain);
  return half;
}

}  // namespace

ResamplerRatio::ResamplerRatio(uint64_t in_rate, uint64_t out_rate)
    : in(in_rate / std::gcd(in_rate, out_rate)), out(out_rate / std::gcd(in_rate, out_rate)) {}

BankDesign::BankDesign(ResamplerRatio ratio, const LowPass& low_pass) {
  taps = taps_of(low_pass, ratio);
  lead = taps / 2 - 1;
  const auto period = static_cast<size_t>(ratio.out);
  size_t periods = 1;
  const auto idle = [period](size_t n) {
    return round_up(n * period, kResamplerLanes) - n * period;
  };
  for (size_t n = 2; n <= kResamplerLanes && n * period * taps <= kMaxRepeatedFloats; ++n) {
    if (idle(n) * periods < idle(periods) * n) periods = n;
  }
  rows = periods * period;
  period_in = periods * static_cast<size_t>(ratio.in);
  make_table();
  const Prototype prototype(low_pass, scale_of(ratio), taps);
  std::vector<double> coefficients(taps);
  for (size_t row = 0; row < rows; ++row) {
    prototype.row(static_cast<double>(row * period_in % rows) / static_cast<double>(rows),
                  coefficients.data());
    set_row(row, coefficients.data());
  }
}

BankDesign::BankDesign(const std::vector<float>& half)
    : taps(2 * half.size()), rows(kResamplerLanes), period_in(kResamplerLanes) {
  make_table();
  std::vector<double> coefficients(half.begin(), half.end());
  coefficients.insert(coefficients.end(), half.rbegin(), half.rend());
  for (size_t row = 0; row < rows; ++row) set_row(row, coefficients.data());
}

void BankDesign::make_table() {
  groups = round_up(rows, kResamplerLanes) / kResamplerLanes;
  for (size_t row = 0; row < rows; ++row) {
    reach = std::max(reach, frame_of(row) - group_frame_of(row));
  }
  width = round_up(taps + reach, 2);
  table.resize(groups * width);
}

void BankDesign::set_row(size_t row, const double* coefficients) {
  ResamplerLanes* column =
      &table[row / kResamplerLanes * width + frame_of(row) - group_frame_of(row)];
  for (size_t k = 0; k < taps; ++k) {
    (column++)->lane[row % kResamplerLanes] = static_cast<float>(coefficients[k]);
  }
}

CubicDesign::CubicDesign(ResamplerRatio ratio, const LowPass& low_pass) {
  taps = taps_of(low_pass, ratio);
  lead = taps / 2 - 1;
  width = round_up(taps, kResamplerLanes);
  const double wanted = std::ceil(kInterpolatedRows / scale_of(ratio));
  rows = std::max(kMinInterpolatedRows, static_cast<size_t>(wanted));
  fill_cubics(Prototype(low_pass, scale_of(ratio), taps), *this, &table);
}

HalfBandDesign::HalfBandDesign(double pass, double stopband_db, float gain)
    : HalfBandDesign(half_of(pass, stopband_db, gain)) {}

HalfBandDesign::HalfBandDesign(const std::vector<float>& half) : side(half.size()), others(half) {}

ResamplerDesign::ResamplerDesign(ResamplerRatio ratio, ResamplerQuality quality, bool variable)
    : sharp(ratio) {
  const Spec spec = spec_of(quality, variable);
  if (!variable) {
    // Nothing above half the lower rate is kept, so the steps at higher rates may be that wide.
    const bool down = ratio.in > ratio.out;
    const double low = static_cast<double>(std::min(ratio.in, ratio.out));
    const double high = static_cast<double>(std::max(ratio.in, ratio.out));
    // At 0.25 the half-band filter would have no transition band.
    constexpr double kWidestPass = 0.235;
    // The number of columns in the banks' tables for each frame of the higher rate.
    double steps_cost = 0, best = INFINITY;
    std::vector<HalfBandDesign> steps;
    size_t kept = 0;
    for (uint64_t halved = 1;; halved *= 2) {
      const double share = 1 / static_cast<double>(halved);
      const ResamplerRatio rest(ratio.in * (down ? 1 : halved), ratio.out * (down ? halved : 1));
      const double made = down ? low / high : share;
      const double lanes = kResamplerLanes * rest.in_per_out();
      const double cost =
          steps_cost + made * (static_cast<double>(taps_of(spec.low_pass, rest)) + lanes);
      if (cost < best) {
        best = cost;
        sharp = rest;
        kept = steps.size();
      }
      const double pass = low / 2 / (high * share);
      if (pass > kWidestPass) break;
      // Adds a halving or a doubling.
      steps.emplace_back(pass, spec.stopband_db, down ? 0.5f : 1.0f);
      steps_cost += share / 2 * static_cast<double>(steps.back().others.width);
    }
    steps.erase(steps.begin() + static_cast<long>(kept), steps.end());
    if (!down) std::reverse(steps.begin(), steps.end());
    (down ? halvings : doublings) = std::move(steps);
  }
  if (!variable && sharp.out <= kMaxBankRows) {
    bank.emplace(sharp, spec.low_pass);
  } else {
    cubic.emplace(sharp, spec.low_pass);
  }
}

std::shared_ptr<const ResamplerDesign> ResamplerDesign::shared(ResamplerRatio ratio,
                                                               ResamplerQuality quality,
                                                               bool variable) {
  struct Known {
    bool is(ResamplerRatio wanted, ResamplerQuality how, bool moves) const {
      return ratio == wanted && quality == how && variable == moves;
    }
    ResamplerRatio ratio;
    ResamplerQuality quality;
    bool variable;
    std::weak_ptr<const ResamplerDesign> design;
  };
  static std::mutex mutex;
  static std::vector<Known> all;
  static std::array<std::shared_ptr<const ResamplerDesign>, kKeptDesigns> kept;  // latest first

  const std::lock_guard lock(mutex);
  const auto gone = [](const Known& known) { return known.design.expired(); };
  all.erase(std::remove_if(all.begin(), all.end(), gone), all.end());
  auto known = std::find_if(all.begin(), all.end(),
                            [&](const Known& one) { return one.is(ratio, quality, variable); });
  if (known == all.end()) known = all.insert(known, {ratio, quality, variable, {}});
  std::shared_ptr<const ResamplerDesign> design = known->design.lock();
  if (!design) {
    design = std::make_shared<const ResamplerDesign>(ratio, quality, variable);
    known->design = design;
  }
  const auto slot = std::find(kept.begin(), kept.end() - 1, design);
  *slot = design;
  std::rotate(kept.begin(), slot, slot + 1);
  return design;
}

}  // namespace patchcord
