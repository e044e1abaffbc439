// Converts WASAPI's timestamps to the clock of clock.h.
#pragma once

#include <cmath>
#include <cstdint>

#include "../../core/time/device_timing.h"
#include "../backend.h"
#include "formats.h"

namespace patchcord {

// The time of a timestamp that was read just now; kNoTime if it cannot be from this moment. Any
// thread.
//
// A timestamp is the performance counter in units of 100 ns. Wine 10 computes it as ticks * 10^7 /
// frequency in signed 64 bits, at 10^7 ticks a second: 25.6 hours after the machine's start the
// product overflows, and again every 51.2 hours, and each overflow lowers the timestamp by that
// much.
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
