// The replacement of invalid samples.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace patchcord {

// Replaces invalid samples by 0. NaN and infinities would stay in every filter. A sample below
// 2^-100 (-602 dBFS) becomes a denormal after a tap or two, on which arithmetic is tens of times
// slower on many processors. The check looks at the bits, because comparing a denormal may already
// be slow.
inline float sane_sample(float sample) noexcept {
  constexpr uint32_t kExponent = 0x7f800000, kSmallest = (127u - 100) << 23;
  uint32_t bits;
  std::memcpy(&bits, &sample, sizeof bits);
  return (bits & kExponent) - kSmallest < kExponent - kSmallest ? sample : 0;
}

// The same for a filter of many taps, whose sums must stay finite and whose products must stay
// normal. Samples beyond 1e18, which no sum of signals reaches, and below 1e-24, far below the last
// bit of any format, count as 0 as well.
inline float filter_sample(float sample) noexcept {
  const float size = std::fabs(sample);
  return size >= 1e-24f && size <= 1e18f ? sample : 0.0f;
}

}  // namespace patchcord
