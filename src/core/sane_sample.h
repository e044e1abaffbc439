// What a sample counts as when it is no sound.
#pragma once

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

}  // namespace patchcord
