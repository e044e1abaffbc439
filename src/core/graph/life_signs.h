// Whether a capture stream still hears what its device hears. A driver, or a setting somewhere, can
// make a stream of zeros of a device that works: no call fails, and only the device's own meter
// knows better.
#pragma once

#include <cstdint>

#include "../time/clock.h"

namespace patchcord {

// The system's state of a device: volume, mute and meter.
struct EndpointState {
  bool known = false;  // false: the system does not tell
  bool muted = false;
  float volume = 1;  // the system's scale, 0..1
  float peak = -1;   // of the device's own meter, linear; below 0: it has none
};

// Audio thread. Looks four times a second, whatever the rhythm of its calls.
class LifeSigns {
 public:
  enum class Evidence : uint8_t {
    kNone,
    kZeros,      // the meter moves, and nothing but zeros comes, or no packet
    kNoPackets,  // of a device that always has some
  };
  struct Change {
    bool muted = false;
    bool life = false;
    bool flow = false;
  };

  // `may_idle`: a device that has no packets while nothing plays (loopback).
  explicit LifeSigns(bool may_idle) : may_idle_(may_idle) {}

  // Another device takes the place of the one before: what was said of that one holds until this
  // one says otherwise.
  void restart() noexcept;
  // A packet came; `sounds`: not all of it is zero.
  void packet(bool sounds) noexcept;
  // After each packet, and each wake without one: what has changed.
  Change look(const EndpointState& endpoint, int64_t now) noexcept;

  bool muted() const noexcept { return muted_; }
  // No packet came between the last two looks. Of a loopback: nothing played.
  bool stalled() const noexcept { return stalled_; }
  Evidence dead_by() const noexcept { return dead_by_; }

 private:
  bool live_or_die(const EndpointState& endpoint) noexcept;

  const bool may_idle_;
  int64_t next_look_ = INT64_MIN;
  bool packets_ = false;  // since the last look
  bool sounds_ = false;
  bool muted_ = false;
  bool stalled_ = false;
  int moving_looks_ = 0;  // at which the meter moved, since there was sound
  int empty_looks_ = 0;   // in a row without a packet
  Evidence dead_by_ = Evidence::kNone;
};

}  // namespace patchcord
