#include "rate_tracker.h"

#include <algorithm>
#include <cmath>

namespace patchcord {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kNsPerSecondF = 1e9;
constexpr double kJumpNs = 200e6;

// Bandwidth in Hz: as wide as the time heard so far allows, down to what suits the stamps.
constexpr double kDeviceBandwidth = 0.02;
constexpr double kArrivalBandwidth = 0.01;
constexpr double kAcquisition = 0.35;  // Hz times seconds
constexpr double kMaxBandwidth = 2;
// Above that share of a turn per packet the loop would ring.
constexpr double kMaxTurn = 0.5;

// Outliers (a late thread, a stamp taken over an interrupt) are clamped once there is a sigma.
constexpr double kClampAfter = 3;  // s
constexpr double kClampSigmas = 4;
constexpr double kSigmaMemory = 0.999;
constexpr double kDeviceSigmaNs = 50e3;  // to begin with
constexpr double kArrivalSigmaNs = 1e6;
constexpr double kMinSigmaNs = 1000;
// What stays outside for so long is no outlier: the clock itself changed.
constexpr double kBelieveAfter = 1;  // s

constexpr double kMaxDeviation = 0.01;  // no audio clock is 1 % off

}  // namespace

RateTracker::RateTracker(double nominal_rate_hz, bool device_stamps)
    : nominal_ns_(kNsPerSecondF / nominal_rate_hz), device_stamps_(device_stamps) {
  reset();
}

void RateTracker::reset() noexcept {
  frame_ns_ = nominal_ns_;
  elapsed_ = 0;
  sigma_ns_ = device_stamps_ ? kDeviceSigmaNs : kArrivalSigmaNs;
  restart(0, 0);
  started_ = false;
}

// At another place, with all that is known of the rate.
void RateTracker::restart(int64_t frame, int64_t time_ns) noexcept {
  origin_ = time_ns;
  offset_ns_ = 0;
  frame_ = frame;
  beyond_ = 0;
  started_ = true;
}

void RateTracker::update(int64_t frame, int64_t time_ns) noexcept {
  if (!started_ || frame < frame_) return restart(frame, time_ns);
  if (frame == frame_) return;
  const double frames = static_cast<double>(frame - frame_);
  const double expected = offset_ns_ + frames * frame_ns_;
  double error = static_cast<double>(time_ns - origin_) - expected;
  if (std::fabs(error) > kJumpNs) return restart(frame, time_ns);

  const double seconds = frames * frame_ns_ / kNsPerSecondF;
  if (elapsed_ > kClampAfter) {
    const double limit = kClampSigmas * sigma_ns_;
    if (std::fabs(error) <= limit) {
      beyond_ = 0;
    } else {
      error = std::copysign(limit, error);
      beyond_ = std::copysign(beyond_ * error > 0 ? std::fabs(beyond_) + seconds : seconds, error);
      if (std::fabs(beyond_) > kBelieveAfter) {
        elapsed_ = 0;  // the rate may have changed too: be quick to follow
        return restart(frame, time_ns);
      }
    }
  }
  elapsed_ += seconds;
  const double floor = device_stamps_ ? kDeviceBandwidth : kArrivalBandwidth;
  const double bandwidth = std::clamp(kAcquisition / elapsed_, floor, kMaxBandwidth);
  const double turn = std::min(2 * kPi * bandwidth * seconds, kMaxTurn);
  offset_ns_ = expected + std::sqrt(2.0) * turn * error;
  frame_ns_ = std::clamp(frame_ns_ + turn * turn * error / frames,
                         nominal_ns_ * (1 - kMaxDeviation), nominal_ns_ * (1 + kMaxDeviation));
  frame_ = frame;
  sigma_ns_ = kSigmaMemory * sigma_ns_ +
              (1 - kSigmaMemory) * std::max(kMinSigmaNs, 1.25 * std::fabs(error));
}

int64_t RateTracker::time_at(double frame) const noexcept {
  const double after = offset_ns_ + (frame - static_cast<double>(frame_)) * frame_ns_;
  return origin_ + static_cast<int64_t>(std::llround(after));
}

double RateTracker::frame_at(double time_ns) const noexcept {
  const double after = time_ns - static_cast<double>(origin_) - offset_ns_;
  return static_cast<double>(frame_) + after / frame_ns_;
}

double RateTracker::rate() const noexcept { return kNsPerSecondF / frame_ns_; }

double RateTracker::ppm() const noexcept { return (nominal_ns_ / frame_ns_ - 1) * 1e6; }

bool RateTracker::settled() const noexcept { return elapsed_ >= (device_stamps_ ? 1 : 7); }

}  // namespace patchcord
