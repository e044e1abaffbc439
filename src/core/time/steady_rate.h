// The rate for resampling audio: the tracker's rate without its first guesses, and smoothed.
#pragma once

#include <algorithm>

#include "rate_tracker.h"

namespace patchcord {

// Audio thread. The rate is nominal until it is known. After that, corrections of the tracker, and
// what it learns again after a disturbance, are followed too slowly to be heard as a change of
// pitch.
class SteadyRate {
 public:
  explicit SteadyRate(double nominal) : nominal_(nominal), rate_(nominal) {}

  // The rate after `seconds` more of audio.
  double follow(const RateTracker& tracker, double seconds) noexcept {
    if (!tracker.settled()) return rate_;  // an uncertain rate is kept until there is a better one
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
