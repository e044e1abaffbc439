#include "ducker.h"

#include <algorithm>
#include <cmath>

namespace patchcord {

Ducker::Ducker(const Config& config)
    : config_(config),
      fall_(std::pow(static_cast<double>(config.gain), 1.0 / std::max(1u, config.attack_frames))),
      rise_(
          std::pow(static_cast<double>(config.gain), -1.0 / std::max(1u, config.release_frames))) {}

void Ducker::process(const float* key, float* samples, size_t frames, uint32_t channels) noexcept {
  if (key == nullptr && hold_left_ == 0 && gain_ == 1) return;
  const double least = config_.gain;
  for (size_t i = 0; i < frames; ++i) {
    if (key != nullptr && key[i] > config_.threshold) {
      hold_left_ = config_.hold_frames + 1;
    }
    if (hold_left_ > 0) {
      --hold_left_;
      gain_ = std::max(least, gain_ * fall_);
    } else {
      gain_ = std::min(1.0, gain_ * rise_);
    }
    const auto gain = static_cast<float>(gain_);
    for (uint32_t c = 0; c < channels; ++c) samples[i * channels + c] *= gain;
  }
}

}  // namespace patchcord
