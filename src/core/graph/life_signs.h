// Detects a capture stream that no longer gets what its device records. A driver or a setting can
// turn the stream of a working device into zeros. Then no call fails, and only the device's own
// meter shows the sound.
#pragma once

#include <cstdint>

#include "../time/clock.h"

namespace patchcord {

// The system's state of a device: volume, mute and meter.
struct EndpointState {
  bool known = false;  // false: the system does not report it
  bool muted = false;
  float volume = 1;  // the system's scale, 0..1
  float peak = -1;   // of the device's own meter, linear; below 0: it has none
};

// Audio thread. Looks four times a second, however often it is called.
class LifeSigns {
 public:
  enum class Evidence : uint8_t {
    kNone,
    kZeros,      // the meter moves, but the stream gets only zeros or no packets
    kNoPackets,  // from a device that always has some
  };
  struct Change {
    bool muted = false;
    bool life = false;
    bool flow = false;
  };

  // `may_idle`: the device has no packets while nothing plays (loopback).
  explicit LifeSigns(bool may_idle) : may_idle_(may_idle) {}

  // Another device takes the place of the one before: the reported state stays until the new device
  // contradicts it.
  void restart() noexcept;
  // A packet arrived; `sounds`: it is not all zeros.
  void packet(bool sounds) noexcept;
  // After each packet, and after each wake without one. Returns the changes.
  Change look(const EndpointState& endpoint, int64_t now) noexcept;

  bool muted() const noexcept { return muted_; }
  // No packet came between the last two looks. For a loopback this means that nothing played.
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
  int moving_looks_ = 0;  // looks at which the meter moved since the last sound
  int empty_looks_ = 0;   // looks in a row without a packet
  Evidence dead_by_ = Evidence::kNone;
};

}  // namespace patchcord
