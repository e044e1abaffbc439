#include "gain.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "sane_sample.h"

namespace patchcord {
namespace {

float finite(float gain) noexcept { return std::isfinite(gain) ? gain : 0; }

}  // namespace

GainRamp::GainRamp(uint32_t channels, float gain) : channels_(channels), gain_(finite(gain)) {}

void GainRamp::set(float gain, uint32_t ramp_frames) noexcept {
  gain_.set(finite(gain), ramp_frames);
}

void GainRamp::process(float* frames, size_t count) noexcept {
  if (count == 0) return;
  gain_.follow();
  for (; count > 0 && gain_.moves(); --count, frames += channels_) {
    gain_.advance(1);
    const auto gain = static_cast<float>(gain_.here());
    for (size_t channel = 0; channel < channels_; ++channel) {
      frames[channel] = std::clamp(sane_sample(frames[channel]) * gain, -FLT_MAX, FLT_MAX);
    }
  }
  gain_.show();
  const auto gain = static_cast<float>(gain_.here());
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

// A ramp continues during silence.
bool GainRamp::skip_silence(uint64_t count) noexcept {
  gain_.follow();
  gain_.advance(count);
  gain_.show();
  return true;
}

}  // namespace patchcord
