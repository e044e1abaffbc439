#include "life_signs.h"

namespace patchcord {
namespace {

constexpr int64_t kLookInterval = 250 * kNsPerMs;

// -50 dBFS. A room's noise moves a meter less than that while a noise gate or suppressor, which is
// not a fault, delivers zeros.
constexpr float kMoving = 0.00316f;

// A meter shows one moment, and speech has pauses. So looks are counted until sound arrives.
constexpr int kMovingLooks = 6;

// In a row. A machine that slept for hours has missed only one look.
constexpr int kEmptyLooks = 8;

}  // namespace

void LifeSigns::restart() noexcept {
  next_look_ = INT64_MIN;
  packets_ = sounds_ = false;
  moving_looks_ = empty_looks_ = 0;
}

void LifeSigns::packet(bool sounds) noexcept {
  packets_ = true;
  sounds_ = sounds_ || sounds;
}

LifeSigns::Change LifeSigns::look(const EndpointState& endpoint, int64_t now) noexcept {
  if (now < next_look_) return {};
  const bool first = next_look_ == INT64_MIN;
  next_look_ = now + kLookInterval;
  Change change;
  // If the device reports nothing for a moment, the state stays.
  if (endpoint.known) {
    change.muted = endpoint.muted != muted_;
    muted_ = endpoint.muted;
  }
  // A stream that has just begun is not judged yet.
  change.life = !first && live_or_die(endpoint);
  change.flow = !first && stalled_ == packets_;
  if (change.flow) stalled_ = !packets_;
  packets_ = sounds_ = false;
  return change;
}

bool LifeSigns::live_or_die(const EndpointState& endpoint) noexcept {
  const Evidence before = dead_by_;
  empty_looks_ = packets_ ? 0 : empty_looks_ + 1;
  if (sounds_ || (packets_ && dead_by_ == Evidence::kNoPackets)) {
    dead_by_ = Evidence::kNone;
    moving_looks_ = 0;
  } else if (muted_ || (endpoint.known && endpoint.volume == 0)) {
    // The zeros are expected.
    moving_looks_ = 0;
  } else if (dead_by_ == Evidence::kNone) {
    if (endpoint.known && endpoint.peak > kMoving) ++moving_looks_;
    if (!may_idle_ && empty_looks_ >= kEmptyLooks) {
      dead_by_ = Evidence::kNoPackets;
    } else if (moving_looks_ >= kMovingLooks) {
      dead_by_ = Evidence::kZeros;
    }
  }
  return dead_by_ != before;
}

}  // namespace patchcord
