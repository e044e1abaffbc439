// The rate that audio is resampled by: a tracker's, without its first guesses and without its
// haste.
#pragma once

#include <algorithm>

#include "rate_tracker.h"

namespace patchcord {

// Audio thread. Systems whose stamps are off while a stream starts (PipeWire's are for seconds)
// would be heard as a glide in pitch; a true rate is reached a little later.
class SteadyRate {
 public:
  explicit SteadyRate(double nominal) : nominal_(nominal), rate_(nominal) {}

  // After `seconds` of audio more.
  double follow(const RateTracker& tracker, double seconds) noexcept {
    if (!tracker.settled()) return rate_;  // a rate in doubt is kept until there is a better one
    const double wanted = tracker.rate();
    const double step = nominal_ * kSlewPerSecond * seconds;
    rate_ += std::clamp(wanted - rate_, -step, step);
    return rate_;
  }
  double rate() const noexcept { return rate_; }
  double ppm() const noexcept { return (rate_ / nominal_ - 1) * 1e6; }

 private:
  static constexpr double kSlewPerSecond = 100e-6;

  double nominal_, rate_;
};

}  // namespace patchcord
