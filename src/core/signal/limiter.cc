#include "limiter.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>

namespace patchcord {
namespace {

constexpr uint32_t kUnity = uint32_t{1} << 30;
constexpr double kLookAheadSeconds = 0.0015;
constexpr double kReleaseSeconds = 0.060;  // to 1 / e of the reduction

}  // namespace

Limiter::Limiter(uint32_t sample_rate, uint32_t channels, float ceiling)
    : channels_(channels),
      ceiling_(ceiling),
      look_ahead_(static_cast<size_t>(kLookAheadSeconds * sample_rate)),
      release_(1 - std::exp(-1 / (kReleaseSeconds * sample_rate))),
      delay_(std::make_unique<float[]>(look_ahead_ * channels)),
      recent_(std::make_unique<uint32_t[]>(look_ahead_ + 1)),
      dips_(std::make_unique<Dip[]>(look_ahead_ + 1)) {
  reset();
}

void Limiter::reset() noexcept {
  std::fill_n(delay_.get(), look_ahead_ * channels_, 0.0f);
  std::fill_n(recent_.get(), look_ahead_ + 1, kUnity);
  sum_ = uint64_t{kUnity} * (look_ahead_ + 1);
  frame_ = 0;
  delay_at_ = recent_at_ = dips_at_ = dips_count_ = 0;
  gain_ = kUnity;
  lowest_ = 1;
}

// Zeros change nothing any more once the delay holds nothing else and the gain is back at one.
bool Limiter::skip_silence(uint64_t) noexcept {
  return gain_ == kUnity && sum_ == uint64_t{kUnity} * (look_ahead_ + 1) && dips_count_ == 0 &&
         std::all_of(delay_.get(), delay_.get() + look_ahead_ * channels_,
                     [](float sample) { return sample == 0; });
}

uint32_t Limiter::required_gain(const float* frame) const noexcept {
  float peak = 0;
  for (size_t channel = 0; channel < channels_; ++channel) {
    peak = std::max(peak, std::fabs(frame[channel]));
  }
  if (peak <= ceiling_) return kUnity;
  return static_cast<uint32_t>(static_cast<double>(ceiling_) / static_cast<double>(peak) * kUnity);
}

// The lowest gain required by any of the last look_ahead_ + 1 frames. Frames that require none are
// not queued; a dip makes all earlier ones that are no deeper pointless.
uint32_t Limiter::held_gain(uint32_t required) noexcept {
  const size_t size = look_ahead_ + 1;
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

// Each gain in the average that a frame meets when it leaves the delay was held by that frame
// itself, so the average cannot be above what the frame requires.
void Limiter::process(float* frames, size_t count) noexcept {
  const size_t size = look_ahead_ + 1;
  for (size_t i = 0; i < count; ++i) {
    float* frame = frames + i * channels_;
    for (size_t channel = 0; channel < channels_; ++channel) {
      if (!(std::fabs(frame[channel]) <= FLT_MAX)) frame[channel] = 0;
    }
    // One more than the rounded-down step, so that the way back ends.
    const auto step = static_cast<uint32_t>(release_ * (kUnity - gain_)) + 1;
    const uint32_t released = std::min(kUnity, gain_ + step);
    gain_ = std::min(held_gain(required_gain(frame)), released);
    sum_ += gain_;
    sum_ -= recent_[recent_at_];
    recent_[recent_at_] = gain_;
    recent_at_ = recent_at_ + 1 == size ? 0 : recent_at_ + 1;

    float* delayed = delay_.get() + delay_at_ * channels_;
    delay_at_ = delay_at_ + 1 == look_ahead_ ? 0 : delay_at_ + 1;
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
