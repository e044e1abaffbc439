// How a device's packets come.
#pragma once

#include <cstdint>

#include "clock.h"

namespace patchcord {

// A stamp further from the local clock than this is wrong, whatever it says (Chromium's bound).
constexpr int64_t kImplausible = 500 * kNsPerMs;

struct DeviceTiming {
  // The oldest that a loopback's packet is when it comes: so far behind the clock its silence stays
  // while nothing plays.
  int64_t idle_lag = 30 * kNsPerMs;
  // A stamp by which the packet's end is still to be heard is that of whoever fetched it.
  bool fetch_stamps = false;
};

}  // namespace patchcord
