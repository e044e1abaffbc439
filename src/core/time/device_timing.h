// How a device's packets arrive.
#pragma once

#include <cstdint>

#include "clock.h"

namespace patchcord {

// A timestamp further from the local clock than this is wrong (Chromium uses the same bound). The
// counter shows how late a later packet is, the stream's start how late the first one is.
constexpr int64_t kImplausible = 500 * kNsPerMs;

// How long the stream waits for a frame's packet, unless its options say otherwise.
constexpr int64_t kMaxWait = 500 * kNsPerMs;

// The same if the system does not answer. An audio server that stood still afterwards delivers what
// it recorded until its buffers were full.
constexpr int64_t kUnansweredWait = 4 * kNsPerSecond;

struct DeviceTiming {
  // The usual greatest age of a loopback packet when it arrives; greater for a device whose packets
  // all prove to be older than their length. An endpoint that delivered nothing for so long is
  // idle. The silence that the system reports stays this far behind the clock.
  int64_t idle_lag = 30 * kNsPerMs;
  // The timestamp is the time at which the system's own thread fetched the packet: never too early,
  // but too late by as long as that thread slept. The engine uses the earliest of them.
  bool fetch_stamps = false;
};

}  // namespace patchcord
