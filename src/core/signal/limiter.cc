#include "limiter.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <limits>

namespace patchcord {
namespace {

constexpr uint32_t kUnity = uint32_t{1} << 30;
constexpr double kLookAheadSeconds = 0.0015;
constexpr double kReleaseSeconds = 0.060;  // time to fall to 1 / e of the reduction
// A peak between samples depends mostly on this many frames on each side. Frames further away, and
// the movement of the gain itself, raise the peak a little; the margin allows for that.
constexpr size_t kReach = 8;
constexpr float kTruePeakMargin = 0.98855309f;  // -0.1 dB

}  // namespace

Limiter::Limiter(uint32_t sample_rate, uint32_t channels, float ceiling, LimiterPeaks peaks)
    : channels_(channels),
      ceiling_(ceiling),
      true_peak_(peaks == LimiterPeaks::kTrue
                     ? std::make_unique<TruePeak>(sample_rate, channels, TruePeak::kMostReach)
                     : nullptr),
      threshold_(true_peak_ ? ceiling * kTruePeakMargin : ceiling),
      look_ahead_(static_cast<size_t>(kLookAheadSeconds * sample_rate)),
      hold_(look_ahead_ + 1 + (true_peak_ ? 2 * kReach : 0)),
      delay_frames_(look_ahead_ + (true_peak_ ? TruePeak::kMostReach + kReach : 0)),
      release_(1 - std::exp(-1 / (kReleaseSeconds * sample_rate))),
      delay_(std::make_unique<float[]>(delay_frames_ * channels)),
      recent_(std::make_unique<uint32_t[]>(look_ahead_ + 1)),
      dips_(std::make_unique<Dip[]>(hold_)) {
  reset();
}

void Limiter::reset() noexcept {
  if (true_peak_) true_peak_->reset();
  std::fill_n(delay_.get(), delay_frames_ * channels_, 0.0f);
  std::fill_n(recent_.get(), look_ahead_ + 1, kUnity);
  sum_ = uint64_t{kUnity} * (look_ahead_ + 1);
  frame_ = 0;
  delay_at_ = recent_at_ = dips_at_ = dips_count_ = 0;
  gain_ = kUnity;
  lowest_ = 1;
}

// Once the delay contains only zeros and the gain is back at one, zeros change nothing.
bool Limiter::skip_silence(uint64_t) noexcept {
  return gain_ == kUnity && sum_ == uint64_t{kUnity} * (look_ahead_ + 1) && dips_count_ == 0 &&
         (!true_peak_ || true_peak_->silent()) &&
         std::all_of(delay_.get(), delay_.get() + delay_frames_ * channels_,
                     [](float sample) { return sample == 0; });
}

float Limiter::sample_peak(const float* frame) const noexcept {
  float peak = 0;
  for (size_t channel = 0; channel < channels_; ++channel) {
    peak = std::max(peak, std::fabs(frame[channel]));
  }
  return peak;
}

uint32_t Limiter::required_gain(float peak) const noexcept {
  if (peak <= threshold_) return kUnity;
  return static_cast<uint32_t>(static_cast<double>(threshold_) / static_cast<double>(peak) *
                               kUnity);
}

// The lowest gain that any of the last hold_ frames requires. Frames that require no reduction are
// not queued. A new dip removes all earlier ones that are no deeper, because they no longer matter.
uint32_t Limiter::held_gain(uint32_t required) noexcept {
  const size_t size = hold_;
  if (dips_count_ > 0 && dips_[dips_at_].frame + size <= frame_) {
    dips_at_ = (dips_at_ + 1) % size;
    --dips_count_;
  }
  if (required < kUnity) {
    while (dips_count_ > 0 && dips_[(dips_at_ + dips_count_ - 1) % size].gain >= required) {
      --dips_count_;
    }
    dips_[(dips_at_ + dips_count_) % size] = {frame_, required};
    ++dips_count_;
  }
  ++frame_;
  return dips_count_ > 0 ? dips_[dips_at_].gain : kUnity;
}

// When a frame leaves the delay, its own gain was held for every gain in the average, so the
// average cannot be above the gain that the frame requires. A peak between samples depends on
// kReach frames on both sides, so its gain is held for all of them.
void Limiter::process(float* frames, size_t count) noexcept {
  for (size_t i = 0; i < count * channels_; ++i) {
    if (!(std::fabs(frames[i]) <= FLT_MAX)) frames[i] = 0;
  }
  if (!true_peak_) return limit(frames, count, nullptr);
  std::array<float, TruePeak::kBlock> peaks;
  for (size_t done = 0; done < count;) {
    const size_t now = std::min(count - done, peaks.size());
    true_peak_->follow(frames + done * channels_, now, peaks.data());
    limit(frames + done * channels_, now, peaks.data());
    done += now;
  }
}

void Limiter::limit(float* frames, size_t count, const float* true_peaks) noexcept {
  const size_t size = look_ahead_ + 1;
  for (size_t i = 0; i < count; ++i) {
    float* frame = frames + i * channels_;
    const float peak = true_peaks != nullptr ? true_peaks[i] : sample_peak(frame);
    // One more than the rounded-down step, so that the gain reaches unity.
    const auto step = static_cast<uint32_t>(release_ * (kUnity - gain_)) + 1;
    const uint32_t released = std::min(kUnity, gain_ + step);
    gain_ = std::min(held_gain(required_gain(peak)), released);
    sum_ += gain_;
    sum_ -= recent_[recent_at_];
    recent_[recent_at_] = gain_;
    recent_at_ = recent_at_ + 1 == size ? 0 : recent_at_ + 1;

    float* delayed = delay_.get() + delay_at_ * channels_;
    delay_at_ = delay_at_ + 1 == delay_frames_ ? 0 : delay_at_ + 1;
    for (size_t channel = 0; channel < channels_; ++channel) {
      std::swap(frame[channel], delayed[channel]);
    }
    const uint64_t average = sum_ / size;
    if (average == kUnity) continue;
    const float gain = static_cast<float>(average) / static_cast<float>(kUnity);
    if (gain < lowest_gain()) lowest_.store(gain, std::memory_order_relaxed);
    for (size_t channel = 0; channel < channels_; ++channel) {
      // The product may round to just above the ceiling.
      frame[channel] = std::clamp(frame[channel] * gain, -ceiling_, ceiling_);
    }
  }
}

}  // namespace patchcord
