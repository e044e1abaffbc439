// What a resampler is made of: which steps, and their filters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "resampler.h"
#include "resampler_kernel.h"
#include "resampler_prototypes.h"

namespace patchcord {

// Output frames per input frame, in lowest terms.
struct ResamplerRatio {
  ResamplerRatio(uint64_t in_rate, uint64_t out_rate);
  double in_per_out() const { return static_cast<double>(in) / static_cast<double>(out); }
  uint64_t in, out;
};

// As wide as the widest vectors and aligned to them: a load across two cache lines is two.
struct alignas(kResamplerLanes * sizeof(float)) ResamplerLanes {
  float lane[kResamplerLanes];
};
using ResamplerTable = std::vector<ResamplerLanes>;
inline float* samples(ResamplerTable* table) { return reinterpret_cast<float*>(table->data()); }
inline const float* samples(const ResamplerTable& table) {
  return reinterpret_cast<const float*>(table.data());
}

// A low-pass filter cut into phases. Exact: a row for each frame of the ratio's period, in the
// order in which they come. Interpolated: row p is for a position p / rows after a frame, followed
// by the three higher coefficients of the cubic that leads to the next row (resampler_kernel.h).
struct PolyphaseDesign {
  PolyphaseDesign(ResamplerRatio ratio, const LowPass& low_pass, bool variable);

  size_t taps = 0;
  size_t lead = 0;   // taps before the position
  size_t width = 0;  // floats of a row: taps and zeros, a multiple of kResamplerLanes
  size_t rows = 0;
  size_t period_in = 0;  // of so many output frames as there are rows
  bool interpolated = false;
  // Rows begin with as many zeros as their first sample lies after a multiple of kResamplerLanes,
  // so that samples are loaded aligned too.
  bool aligned = false;
  ResamplerTable table;

 private:
  void choose_rows(ResamplerRatio ratio, bool variable);
};

// A low-pass filter for halving or doubling a rate, flat up to `pass` cycles per frame of the
// higher one and nothing from 0.5 - pass on: every second coefficient is 0, and the middle one 0.5.
struct HalfBandDesign {
  HalfBandDesign(double pass, double stopband_db);

  // From the ends inwards, each for a frame before and one after; their sum is 0.5.
  std::vector<float> taps;
};

// The steps from one rate to another that take the fewest multiplications: the sharp filter where
// the rate is lowest, and beyond it, where it is high, halvings before or doublings after.
struct CascadePlan {
  CascadePlan(uint32_t in_rate, uint32_t out_rate, ResamplerQuality quality, bool variable);

  const LowPass* low_pass;
  double stopband_db;
  ResamplerRatio sharp;
  std::vector<double> halvings;   // passbands, in order
  std::vector<double> doublings;  // in order
};

}  // namespace patchcord
