// The replacement of invalid samples.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace patchcord {

// NaN and infinities would stay in every filter for good; and what is below 2^-100 (-602 dBFS) is
// a denormal after a tap or two, on which arithmetic is tens of times slower on many processors.
// All that counts as 0. On bits, because comparing a denormal may already be slow.
inline float sane_sample(float sample) noexcept {
  constexpr uint32_t kExponent = 0x7f800000, kSmallest = (127u - 100) << 23;
  uint32_t bits;
  std::memcpy(&bits, &sample, sizeof bits);
  return (bits & kExponent) - kSmallest < kExponent - kSmallest ? sample : 0;
}

// The same for a filter of many taps, whose sums must stay finite and its products normal: what is
// beyond 1e18, which no sum of signals is, and below 1e-24, far below the last bit of any format,
// counts as 0 as well.
inline float filter_sample(float sample) noexcept {
  const float size = std::fabs(sample);
  return size >= 1e-24f && size <= 1e18f ? sample : 0.0f;
}

}  // namespace patchcord
