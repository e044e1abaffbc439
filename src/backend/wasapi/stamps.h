// Converts WASAPI's timestamps to the clock of clock.h.
#pragma once

#include <cmath>
#include <cstdint>

#include "../../core/time/device_timing.h"
#include "../backend.h"
#include "formats.h"

namespace patchcord {

// The time of a stamp that was got just now; kNoTime for one that cannot be of this moment. Any
// thread.
//
// A stamp is the performance counter in units of 100 ns. Wine 10 works it out as ticks * 10^7 /
// frequency with 64 bits and a sign, at 10^7 ticks a second: from 25.6 hours after the machine was
// started the product has overflowed, once in 51.2 hours more, and each time takes that much off
// the stamp.
inline int64_t stamp_time(uint64_t stamp) noexcept {
  constexpr double kOverflow = 18446744073709551616.0 / 1e7 * kNsPerReference;
  constexpr double kMost = 1000;  // such overflows: six years
  const int64_t now = real_clock().now();
  const double told = static_cast<double>(static_cast<int64_t>(stamp)) * kNsPerReference;
  const double overflows = std::nearbyint((static_cast<double>(now) - told) / kOverflow);
  if (std::fabs(overflows) > kMost) return kNoTime;
  const int64_t time =
      static_cast<int64_t>(stamp) * kNsPerReference + std::llround(overflows * kOverflow);
  return std::llabs(time - now) <= kImplausible ? time : kNoTime;
}

}  // namespace patchcord
