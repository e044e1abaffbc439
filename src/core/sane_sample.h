// What a sample counts as when it is no sound.
#pragma once

#include <cstdint>
#include <cstring>

namespace patchcord {

// NaN and infinities would stay in every filter for good, and arithmetic on denormals (below -758
// dBFS) is tens of times slower on many processors: both count as 0. On bits, because comparing a
// denormal may already be slow.
inline float sane_sample(float sample) noexcept {
  constexpr uint32_t kExponent = 0x7f800000, kSmallest = 0x00800000;
  uint32_t bits;
  std::memcpy(&bits, &sample, sizeof bits);
  return (bits & kExponent) - kSmallest < kExponent - kSmallest ? sample : 0;
}

}  // namespace patchcord
