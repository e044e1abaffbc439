// The filters behind Resampler: a Kaiser-windowed sinc, cut into phases.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "resampler.h"
#include "resampler_kernel.h"

namespace patchcord {

// Row p holds the filter for a position p / rows after a frame. Exact: a row for each phase that
// the ratio has. Interpolated: each row is followed by the three higher coefficients of the cubic
// that leads to the next row (resampler_kernel.h), so four times as long.
struct ResamplerDesign {
  ResamplerDesign(uint32_t in_rate, uint32_t out_rate, ResamplerQuality quality, bool variable);

  size_t taps = 0;  // a multiple of kResamplerLanes; 1 when nothing is to be done
  size_t lead = 0;  // taps before the position
  size_t rows = 0;
  bool interpolated = false;
  const float* row(size_t p) const {
    return reinterpret_cast<const float*>(table.data()) + p * (interpolated ? 4 : 1) * taps;
  }

  // As wide as the widest vectors and aligned to them: a load across two cache lines is two.
  struct alignas(kResamplerLanes * sizeof(float)) Lanes {
    float lane[kResamplerLanes];
  };
  std::vector<Lanes> table;
};

}  // namespace patchcord
