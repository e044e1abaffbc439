// How a device's packets come.
#pragma once

#include <cstdint>

#include "clock.h"

namespace patchcord {

// A stamp further from the local clock than this is wrong, whatever it says (Chromium's bound).
// A packet that is late by more is recognised by its counter, the first one by the stream's start.
constexpr int64_t kImplausible = 500 * kNsPerMs;

// How long a frame's packet is waited for, where the stream does not say otherwise.
constexpr int64_t kMaxWait = 500 * kNsPerMs;

// The same where the system does not answer. A server that stood still hands over afterwards what
// it recorded until its buffers were full.
constexpr int64_t kUnansweredWait = 4 * kNsPerSecond;

struct DeviceTiming {
  // The oldest that a loopback's packet usually is when it comes; more for one whose packets all
  // turn out to be older than their length. An endpoint that delivered
  // nothing for so long is idle, and the silence that the system says there is stays so far behind
  // the clock.
  int64_t idle_lag = 30 * kNsPerMs;
  // A stamp is the time at which the system's own thread fetched the packet: never too early, but
  // too late by as long as that thread slept. The engine goes by the soonest of them.
  bool fetch_stamps = false;
};

}  // namespace patchcord
