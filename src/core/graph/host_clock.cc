#include "host_clock.h"

#include <algorithm>
#include <cmath>

namespace patchcord {
namespace {

// A position error is corrected over kServoSeconds, sooner while the device's rate is still being
// learnt, by at most kMaxServo of the rate: half a hertz at 1 kHz.
constexpr double kServoSeconds = 5, kFirstServoSeconds = 0.1;
constexpr double kMaxServo = 500e-6;
constexpr double kMaxDrift = 5e-3;  // a larger deviation than 0.5 % is a fault, not drift
constexpr double kLeapSeconds = 0.2;

}  // namespace

HostClock::HostClock(int64_t start, Converter* converter)
    : start_(static_cast<double>(start)),
      frame_ns_(1e9 / converter->out().rate),
      device_rate_(converter->in().rate),
      converter_(converter) {}

double HostClock::error(const RateTracker& tracker, uint64_t next) const noexcept {
  return tracker.frame_at(time_at(static_cast<double>(next))) - place();
}

void HostClock::feed(const RateTracker& tracker, double device_rate, uint64_t next,
                     size_t frames) noexcept {
  const double late = error(tracker, next) / device_rate_;
  const double drift = std::clamp(device_rate / device_rate_, 1 - kMaxDrift, 1 + kMaxDrift);
  const double seconds = std::clamp(age_ / 10, kFirstServoSeconds, kServoSeconds);
  converter_->set_ratio(drift + std::clamp(late / seconds, -kMaxServo, kMaxServo));
  fed_ += frames;
  age_ += static_cast<double>(frames) / device_rate_;
}

uint64_t HostClock::skip_silence(const RateTracker& tracker, uint64_t next,
                                 uint64_t frames) noexcept {
  fed_ += frames;
  const double time = static_cast<double>(tracker.time_at(place()));
  const double until = std::round((time - start_) / frame_ns_);
  return static_cast<uint64_t>(std::max(0.0, until - static_cast<double>(next)));
}

int64_t HostClock::leap(const RateTracker& tracker, uint64_t next) noexcept {
  if (surplus_ > 0) return surplus_;
  const double frames = error(tracker, next);
  if (std::fabs(frames) <= kLeapSeconds * device_rate_) return 0;
  surplus_ = std::max<int64_t>(0, std::llround(frames));
  return std::llround(frames);
}

}  // namespace patchcord
