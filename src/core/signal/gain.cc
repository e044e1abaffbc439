#include "gain.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "sane_sample.h"
#include "smoothstep.h"

namespace patchcord {
namespace {

float finite(float gain) noexcept { return std::isfinite(gain) ? gain : 0; }

}  // namespace

GainRamp::GainRamp(uint32_t channels, float gain)
    : channels_(channels),
      asked_(Ask{finite(gain), 0}),
      shown_(finite(gain)),
      followed_{finite(gain), 0},
      from_(static_cast<double>(finite(gain))),
      to_(from_) {}

void GainRamp::set(float gain, uint32_t ramp_frames) noexcept {
  asked_.store({finite(gain), ramp_frames}, std::memory_order_relaxed);
}

void GainRamp::follow() noexcept {
  const Ask asked = asked_.load(std::memory_order_relaxed);
  if (asked.gain == followed_.gain && asked.ramp_frames == followed_.ramp_frames) return;
  followed_ = asked;
  from_ = static_cast<double>(shown_.load(std::memory_order_relaxed));
  to_ = static_cast<double>(asked.gain);
  ramp_frames_ = asked.ramp_frames;
  ramped_ = 0;
}

// From the frame's place in the ramp, not from the frame before, so that nothing adds up.
float GainRamp::gain_here() const noexcept {
  if (ramped_ >= ramp_frames_) return static_cast<float>(to_);
  const double t = static_cast<double>(ramped_) / ramp_frames_;
  return static_cast<float>(from_ + (to_ - from_) * smoothstep(t));
}

void GainRamp::process(float* frames, size_t count) noexcept {
  if (count == 0) return;
  follow();
  float gain = static_cast<float>(to_);
  for (; count > 0 && ramped_ < ramp_frames_; --count, frames += channels_) {
    ++ramped_;
    gain = gain_here();
    for (size_t channel = 0; channel < channels_; ++channel) {
      frames[channel] = std::clamp(sane_sample(frames[channel]) * gain, -FLT_MAX, FLT_MAX);
    }
  }
  shown_.store(gain, std::memory_order_relaxed);
  const size_t samples = count * channels_;
  if (gain == 1) {
    for (size_t i = 0; i < samples; ++i) {
      if (!(std::fabs(frames[i]) <= FLT_MAX)) frames[i] = 0;
    }
    return;
  }
  for (size_t i = 0; i < samples; ++i) {
    frames[i] = std::clamp(sane_sample(frames[i]) * gain, -FLT_MAX, FLT_MAX);
  }
}

// A ramp goes on in silence.
bool GainRamp::skip_silence(uint64_t count) noexcept {
  follow();
  ramped_ += static_cast<uint32_t>(std::min<uint64_t>(count, ramp_frames_ - ramped_));
  shown_.store(gain_here(), std::memory_order_relaxed);
  return true;
}

}  // namespace patchcord
