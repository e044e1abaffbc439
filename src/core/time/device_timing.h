// How a device's packets come.
#pragma once

#include <cstdint>

#include "clock.h"

namespace patchcord {

// A stamp further from the local clock than this is wrong, whatever it says (Chromium's bound).
constexpr int64_t kImplausible = 500 * kNsPerMs;

// How long a frame's packet is waited for, where the stream does not say otherwise.
constexpr int64_t kMaxWait = 500 * kNsPerMs;

struct DeviceTiming {
  // The oldest that a loopback's packet usually is when it comes: so far behind the clock the
  // silence is that the system says there is.
  int64_t idle_lag = 30 * kNsPerMs;
  // A stamp by which the packet's end is still to be heard is that of whoever fetched it.
  bool fetch_stamps = false;
};

}  // namespace patchcord
