#include "rate_tracker.h"

#include <algorithm>
#include <cmath>

namespace patchcord {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kNsPerS = 1e9;
constexpr double kJump = 0.2;  // s

// For each kind of timestamp: its scatter, and the loop's bandwidth in the steady state, for
// packets of 10 ms. If timestamps prove to be worse or rarer, the bandwidth becomes narrower.
constexpr double kDeviceBandwidth = 0.02;  // Hz
constexpr double kArrivalBandwidth = 0.01;
constexpr double kDeviceSigma = 20e-6;  // s
constexpr double kArrivalSigma = 0.5e-3;
constexpr double kUsualPeriod = 0.01;  // s

constexpr double kUsualDeviation = 300e-6;  // nearly all crystals are this close to nominal
constexpr double kMaxDeviation = 0.01;      // and no audio clock is 1 % off
constexpr double kSettled = 10e-6;

// Outliers (a late thread, a timestamp taken over an interrupt) are clamped once sigma is known.
constexpr double kClampAfter = 3;  // s
constexpr double kClampSigmas = 4;
constexpr double kSigmaMemory = 10;  // s
constexpr double kMinSigma = 1e-6;
constexpr double kSigmaStart = 0.1;   // s
constexpr double kPlaceKnown = 0.02;  // s
constexpr double kPoorStamps = 1.5;
// The first timestamp may be a guess of the system, so far off that the rate cannot explain it.
// Then the position moves to where the following ones agree. Timestamps that are far off and
// disagree are just inaccurate, such as those of a thread that wakes up to 10 ms late when the
// machine is busy.
constexpr double kYoung = 1;        // s
constexpr double kFirstGuess = 50;  // sigmas
constexpr int kAgreeing = 3;        // stamps
constexpr double kFarther = 2;  // times the last distance; below that it is the same scatter again
// For packets of 10 ms the mean of a second's innovations is a tenth of a sigma by chance. So large
// a mean shows that position or rate have changed; a lone outlier cannot cause it, because it is
// clamped.
constexpr double kBiasMemory = 1;      // s
constexpr double kMaxBiasShare = 0.1;  // share of one timestamp, however long its packet
constexpr double kDoubtSigmas = 1.5;
constexpr double kLeastDoubt = 0.25;  // share of the supposed sigma, for timestamps without jitter

}  // namespace

RateTracker::RateTracker(double nominal_rate_hz, bool device_stamps)
    : nominal_ns_(kNsPerS / nominal_rate_hz),
      stamp_sigma_(device_stamps ? kDeviceSigma : kArrivalSigma),
      wander_(std::pow(2 * kPi * (device_stamps ? kDeviceBandwidth : kArrivalBandwidth), 4) *
              stamp_sigma_ * stamp_sigma_ * kUsualPeriod) {
  reset();
}

void RateTracker::reset() noexcept {
  frame_ns_ = nominal_ns_;
  sigma_ = stamp_sigma_;
  first_jump_ = kFirstGuess * stamp_sigma_;
  elapsed_ = 0;
  rate_variance_ = 0;
  doubt(kUsualDeviation);
  move_to(0, 0);
  started_ = false;
}

// Moves to another position and keeps everything that is known of the rate.
void RateTracker::move_to(int64_t frame, int64_t time_ns) noexcept {
  origin_ = time_ns;
  offset_ns_ = 0;
  frame_ = frame;
  place_variance_ = stamp_sigma_ * stamp_sigma_;
  covariance_ = 0;
  bias_ = 0;
  astray_ = 0;
  started_ = true;
}

void RateTracker::set(int64_t frame, int64_t time_ns, double rate, bool settled) noexcept {
  move_to(frame, time_ns);
  frame_ns_ = kNsPerS / rate;
  const double sigma = settled ? kSettled : kUsualDeviation;
  rate_variance_ = sigma * sigma;
}

void RateTracker::lose_place() noexcept { place_variance_ += kJump * kJump; }

// The position has changed, and perhaps the rate: the tracker takes over the position of the next
// timestamp and learns the rate again from there. The scatter of the timestamps stays.
void RateTracker::doubt(double rate_sigma) noexcept {
  lose_place();
  rate_variance_ += rate_sigma * rate_sigma;
  bias_ = 0;
}

// Whether a timestamp in the first second is too far off to be used.
bool RateTracker::goes_astray(double error) noexcept {
  const bool agrees = astray_ > 0 && std::fabs(error - astray_error_) <= kFirstGuess * stamp_sigma_;
  if (astray_ > 0 && !agrees) {
    astray_ = 0;
    first_jump_ = std::max(first_jump_, kFarther * std::fabs(astray_error_));
    coarsen(std::fabs(astray_error_) / 2);
  }
  if (std::fabs(error) <= first_jump_) return false;
  astray_error_ = error;
  if (++astray_ == kAgreeing) first_jump_ = kFarther * std::fabs(error);
  return true;
}

// The timestamps are worse than supposed: what they taught about the rate is dropped.
void RateTracker::coarsen(double sigma) noexcept {
  if (sigma <= sigma_) return;
  sigma_ = sigma;
  frame_ns_ = nominal_ns_;
  place_variance_ = sigma * sigma;
  covariance_ = 0;
  rate_variance_ = kUsualDeviation * kUsualDeviation;
}

void RateTracker::update(int64_t frame, int64_t time_ns) noexcept {
  if (!started_ || frame < frame_) return move_to(frame, time_ns);
  if (frame == frame_) return;
  const double frames = static_cast<double>(frame - frame_);
  const double expected = offset_ns_ + frames * frame_ns_;
  double error = (static_cast<double>(time_ns - origin_) - expected) / kNsPerS;
  const double seconds = frames * nominal_ns_ / kNsPerS;
  if (std::fabs(error) > kJump) return move_to(frame, time_ns);
  if (elapsed_ + seconds < kYoung && goes_astray(error)) {
    if (astray_ == kAgreeing) move_to(frame, time_ns);
    return;
  }
  elapsed_ += seconds;
  const bool place_known = place_variance_ < kPlaceKnown * kPlaceKnown;
  if (elapsed_ > kClampAfter && place_known) {
    // The clamp and the doubt use the same measure. A lower clamp would hold the mean below the
    // doubt, so that good timestamps at another position would never be used.
    const double usual = std::max(sigma_, kLeastDoubt * stamp_sigma_);
    const double clamped = std::clamp(error, -kClampSigmas * usual, kClampSigmas * usual);
    const double share = std::min(kMaxBiasShare, seconds / kBiasMemory);
    bias_ += share * (clamped - bias_);
    if (std::fabs(bias_) > kDoubtSigmas * usual) {
      // How far the position has moved in the time that the bias covers, doubled.
      doubt(std::min(kUsualDeviation, 2 * std::fabs(bias_) * share / seconds));
    } else {
      error = clamped;
    }
  }
  // A plain mean at first, so that systems whose timestamps jitter by milliseconds are recognised
  // at once. Not while the position itself is uncertain.
  if (place_variance_ < kPlaceKnown * kPlaceKnown) {
    const double memory = std::min(1.0, seconds / std::clamp(elapsed_, kSigmaStart, kSigmaMemory));
    sigma_ += memory * (std::max(kMinSigma, 1.25 * std::fabs(error - bias_)) - sigma_);
  }
  const double deviation = sigma_ > kPoorStamps * stamp_sigma_ ? sigma_ : stamp_sigma_;
  const double noise = deviation * deviation;
  place_variance_ += seconds * (2 * covariance_ + seconds * rate_variance_);
  covariance_ += seconds * rate_variance_;
  rate_variance_ += wander_ * seconds;
  const double place_gain = place_variance_ / (place_variance_ + noise);
  const double rate_gain = covariance_ / (place_variance_ + noise);
  place_variance_ *= 1 - place_gain;
  rate_variance_ -= rate_gain * covariance_;
  covariance_ *= 1 - place_gain;

  offset_ns_ = expected + place_gain * error * kNsPerS;
  frame_ns_ = std::clamp(frame_ns_ + rate_gain * error * nominal_ns_,
                         nominal_ns_ * (1 - kMaxDeviation), nominal_ns_ * (1 + kMaxDeviation));
  frame_ = frame;
}

int64_t RateTracker::time_at(double frame) const noexcept {
  const double after = offset_ns_ + (frame - static_cast<double>(frame_)) * frame_ns_;
  return origin_ + static_cast<int64_t>(std::llround(after));
}

double RateTracker::frame_at(double time_ns) const noexcept {
  const double after = time_ns - static_cast<double>(origin_) - offset_ns_;
  return static_cast<double>(frame_) + after / frame_ns_;
}

double RateTracker::rate() const noexcept { return kNsPerS / frame_ns_; }

double RateTracker::ppm() const noexcept { return (nominal_ns_ / frame_ns_ - 1) * 1e6; }

double RateTracker::scatter() const noexcept { return std::max(sigma_, stamp_sigma_); }

bool RateTracker::settled() const noexcept {
  return started_ && rate_variance_ <= kSettled * kSettled;
}

}  // namespace patchcord
