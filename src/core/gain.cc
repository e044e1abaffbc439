#include "gain.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "sane_sample.h"

namespace patchcord {
namespace {

struct Ask {
  float gain;
  uint32_t ramp_frames;
};

uint64_t pack(const Ask& ask) noexcept {
  static_assert(sizeof(Ask) == sizeof(uint64_t), "gain and ramp fill one word");
  uint64_t word;
  std::memcpy(&word, &ask, sizeof word);
  return word;
}

Ask unpack(uint64_t word) noexcept {
  Ask ask;
  std::memcpy(&ask, &word, sizeof ask);
  return ask;
}

float finite(float gain) noexcept { return std::isfinite(gain) ? gain : 0; }

}  // namespace

GainRamp::GainRamp(uint32_t, uint32_t channels, float gain)
    : channels_(channels),
      asked_(pack({finite(gain), 0})),
      shown_(finite(gain)),
      followed_(asked_.load(std::memory_order_relaxed)),
      from_(static_cast<double>(finite(gain))),
      to_(from_) {}

void GainRamp::set(float gain, uint32_t ramp_frames) noexcept {
  asked_.store(pack({finite(gain), ramp_frames}), std::memory_order_relaxed);
}

float GainRamp::target() const noexcept {
  return unpack(asked_.load(std::memory_order_relaxed)).gain;
}

void GainRamp::reset() noexcept {
  followed_ = asked_.load(std::memory_order_relaxed);
  from_ = to_ = static_cast<double>(unpack(followed_).gain);
  ramp_frames_ = ramped_ = 0;
  shown_.store(static_cast<float>(to_), std::memory_order_relaxed);
}

void GainRamp::follow() noexcept {
  const uint64_t asked = asked_.load(std::memory_order_relaxed);
  if (asked == followed_) return;
  followed_ = asked;
  const Ask ask = unpack(asked);
  from_ = static_cast<double>(shown_.load(std::memory_order_relaxed));
  to_ = static_cast<double>(ask.gain);
  ramp_frames_ = ask.ramp_frames;
  ramped_ = 0;
}

// Smoothstep, 3t^2 - 2t^3: without a corner at either end, which a loud tone would show. From the
// frame's place in the ramp, not from the frame before, so that nothing adds up.
float GainRamp::next_gain() noexcept {
  const double t = static_cast<double>(++ramped_) / ramp_frames_;
  return static_cast<float>(from_ + (to_ - from_) * t * t * (3 - 2 * t));
}

void GainRamp::process(float* frames, size_t count) noexcept {
  if (count == 0) return;
  follow();
  float gain = static_cast<float>(to_);
  for (; count > 0 && ramped_ < ramp_frames_; --count, frames += channels_) {
    gain = next_gain();
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

}  // namespace patchcord
