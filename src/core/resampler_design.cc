#include "resampler_design.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "resampler_kernel.h"

namespace patchcord {
namespace {

constexpr double kPi = 3.14159265358979323846;

struct Spec {
  double pass;         // of half the lower rate; the stopband begins at all of it
  double stopband_db;  // coefficients in f32 keep about 140
};

Spec spec_of(ResamplerQuality quality, bool variable) {
  switch (quality) {
    case ResamplerQuality::kLow:
      return variable ? Spec{0.750, 103} : Spec{0.800, 103};
    case ResamplerQuality::kMedium:
      return variable ? Spec{0.8333, 122} : Spec{0.875, 125};
    case ResamplerQuality::kHigh:
      return variable ? Spec{0.8333, 140} : Spec{0.913, 140};
    case ResamplerQuality::kBest:
      break;
  }
  return variable ? Spec{0.907, 140} : Spec{0.950, 145};
}

// Beyond as many phases (44.1 to 192 kHz has 640) a bank outgrows the second-level cache, and cubic
// interpolation is the cheaper way to the same coefficients.
constexpr size_t kMaxBankRows = 640;

// A cubic through 128 phases of an input frame is 1e-8 off at most; a filter that is wider, because
// it goes down in rate, is as much smoother.
constexpr double kInterpolatedRows = 128;
constexpr size_t kMinInterpolatedRows = 16;

// The modified Bessel function of the first kind, order 0.
double bessel_i0(double x) {
  double sum = 1;
  double term = 1;
  for (int k = 1; term > sum * 1e-17; ++k) {
    const double factor = x / (2 * k);
    term *= factor * factor;
    sum += term;
  }
  return sum;
}

// The continuous filter. Times in input frames, frequencies in cycles per input frame.
class Prototype {
 public:
  Prototype(double in_rate, double out_rate, const Spec& spec) {
    const double stop = 0.5 * std::min(1.0, out_rate / in_rate);
    const double transition = stop * (1 - spec.pass);
    cutoff_ = stop * (1 + spec.pass) / 2;
    // Kaiser's formulas (1974) for length and shape.
    const double length = (spec.stopband_db - 7.95) / (14.36 * transition);
    taps_ = static_cast<size_t>(std::ceil(length / kResamplerLanes)) * kResamplerLanes;
    shape_ = 0.1102 * (spec.stopband_db - 8.7);
    peak_ = bessel_i0(shape_);
  }

  size_t taps() const { return taps_; }

  // One row: taps at whole frames around a position `phase` (0 to 1) after a frame, with a sum of
  // exactly 1, so that the rows agree about the level and no image of DC appears.
  void row(double phase, double* to) const {
    const double lead = static_cast<double>(taps_ / 2 - 1);
    double sum = 0;
    for (size_t k = 0; k < taps_; ++k) {
      to[k] = at(static_cast<double>(k) - lead - phase);
      sum += to[k];
    }
    for (size_t k = 0; k < taps_; ++k) to[k] /= sum;
  }

 private:
  double at(double time) const {
    const double edge = time / (static_cast<double>(taps_) / 2);
    const double inside = 1 - edge * edge;
    if (inside <= 0) return 0;
    const double angle = 2 * kPi * cutoff_ * time;
    const double sinc = std::fabs(angle) < 1e-9 ? 1 : std::sin(angle) / angle;
    return sinc * bessel_i0(shape_ * std::sqrt(inside)) / peak_;
  }

  double cutoff_;
  size_t taps_;
  double shape_;
  double peak_;
};

using Table = std::vector<ResamplerDesign::Lanes>;

float* samples(Table* table) { return reinterpret_cast<float*>(table->data()); }

void fill_bank(const Prototype& prototype, size_t rows, Table* table) {
  std::vector<double> row(prototype.taps());
  table->resize(rows * row.size() / kResamplerLanes);
  for (size_t p = 0; p < rows; ++p) {
    prototype.row(static_cast<double>(p) / static_cast<double>(rows), row.data());
    float* to = samples(table) + p * row.size();
    for (size_t k = 0; k < row.size(); ++k) to[k] = static_cast<float>(row[k]);
  }
}

// Lagrange's cubic through the rows at -1, 0, 1, 2, in powers of the way from row 0 to row 1.
void fill_cubics(const Prototype& prototype, size_t rows, Table* table) {
  const size_t taps = prototype.taps();
  std::vector<double> grid((rows + 3) * taps);
  for (size_t p = 0; p < rows + 3; ++p) {
    const double phase = (static_cast<double>(p) - 1) / static_cast<double>(rows);
    prototype.row(phase, grid.data() + p * taps);
  }
  table->resize(rows * 4 * taps / kResamplerLanes);
  for (size_t p = 0; p < rows; ++p) {
    float* to = samples(table) + p * 4 * taps;
    for (size_t k = 0; k < taps; ++k) {
      const double before = grid[p * taps + k], here = grid[(p + 1) * taps + k];
      const double next = grid[(p + 2) * taps + k], after = grid[(p + 3) * taps + k];
      to[k] = static_cast<float>(here);
      to[taps + k] = static_cast<float>(next - before / 3 - here / 2 - after / 6);
      to[2 * taps + k] = static_cast<float>((before + next) / 2 - here);
      to[3 * taps + k] = static_cast<float>((after - before) / 6 + (here - next) / 2);
    }
  }
}

}  // namespace

ResamplerDesign::ResamplerDesign(uint32_t in_rate, uint32_t out_rate, ResamplerQuality quality,
                                 bool variable) {
  if (in_rate == out_rate && !variable) {
    taps = 1;
    return;
  }
  const Prototype prototype(in_rate, out_rate, spec_of(quality, variable));
  taps = prototype.taps();
  lead = taps / 2 - 1;
  rows = out_rate / std::gcd(in_rate, out_rate);
  interpolated = variable || rows > kMaxBankRows;
  if (!interpolated) {
    fill_bank(prototype, rows, &table);
    return;
  }
  const double share = std::min(1.0, static_cast<double>(out_rate) / in_rate);
  rows = std::max(kMinInterpolatedRows, static_cast<size_t>(std::ceil(kInterpolatedRows * share)));
  fill_cubics(prototype, rows, &table);
}

}  // namespace patchcord
