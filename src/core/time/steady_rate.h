// The rate that audio is resampled by: a tracker's, without its first guesses and without its
// haste.
#pragma once

#include <algorithm>

#include "rate_tracker.h"

namespace patchcord {

// Audio thread. It is nominal until the rate is known; from then on what the tracker takes back, or
// learns anew after a disturbance, is followed too slowly to be heard as a change of pitch.
class SteadyRate {
 public:
  explicit SteadyRate(double nominal) : nominal_(nominal), rate_(nominal) {}

  // After `seconds` of audio more.
  double follow(const RateTracker& tracker, double seconds) noexcept {
    if (!tracker.settled()) return rate_;  // a rate in doubt is kept until there is a better one
    if (!known_) rate_ = tracker.rate();
    known_ = true;
    const double step = nominal_ * kSlewPerSecond * seconds;
    rate_ += std::clamp(tracker.rate() - rate_, -step, step);
    return rate_;
  }
  double rate() const noexcept { return rate_; }
  double ppm() const noexcept { return (rate_ / nominal_ - 1) * 1e6; }

 private:
  static constexpr double kSlewPerSecond = 100e-6;

  double nominal_, rate_;
  bool known_ = false;
};

}  // namespace patchcord
