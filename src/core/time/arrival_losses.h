// Counts the frames that a system has dropped if it reports neither positions nor timestamps.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "clock.h"

namespace patchcord {

// A thread that wakes late delivers late, and makes up for it. A loss makes all later packets late,
// so the packet that was least late within half a second shows the difference.
class ArrivalLosses {
 public:
  explicit ArrivalLosses(uint32_t sample_rate) : rate_(sample_rate) {}

  // `frames`: how many have arrived at `now`, since the start, those included that were lost.
  // Returns how many of them turn out to be missing. Audio thread.
  int64_t find(int64_t frames, int64_t now) noexcept {
    const int64_t late = now - frames * kNsPerSecond / rate_;
    if (since_ == kNever) {
      since_ = now;
      usual_ = late;
    }
    least_ = std::min(least_, late - usual_);
    if (now - since_ < kWindow) return 0;
    const int64_t least = least_;
    since_ = now;
    least_ = kNever;
    // Less than a packet: the device's clock is another one.
    if (least > kPacket) return least * rate_ / kNsPerSecond;
    usual_ += least;
    return 0;
  }

 private:
  static constexpr int64_t kWindow = 500 * kNsPerMs;
  static constexpr int64_t kPacket = 7 * kNsPerMs;

  int64_t rate_;
  int64_t since_ = kNever;
  int64_t usual_ = 0;
  int64_t least_ = kNever;
};

}  // namespace patchcord
