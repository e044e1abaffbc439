#include "input_controls.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "../signal/channel_map.h"

namespace patchcord {

InputControls::InputControls(uint32_t channels, uint32_t sample_rate)
    : channels_(channels), meter_(channels, sample_rate), recent_(channels, sample_rate) {}

void InputControls::follow() noexcept {
  for (Ramp* ramp : {&gain_, &pan_, &heard_}) {
    ramp->follow();
    if (!begun_) ramp->finish();
  }
  begun_ = true;
}

// Balance: the side turned to keeps its level, the other fades to zero. Speakers that are on no
// side stay as they are.
InputControls::Frame InputControls::gains() const noexcept {
  const double gain = gain_.here() * heard_.here();
  const double pan = pan_.here();
  const auto left = static_cast<float>(gain * std::min(1.0, 1 - pan));
  const auto right = static_cast<float>(gain * std::min(1.0, 1 + pan));
  Frame gains;
  for (uint32_t c = 0; c < channels_; ++c) {
    const Side side = side_of(channels_, c);
    gains[c] = side == Side::kLeft ? left : side == Side::kRight ? right : static_cast<float>(gain);
  }
  return gains;
}

void InputControls::duck(std::shared_ptr<InputControls> key, const Ducker::Config& config) {
  if (!key->peaks_memory_) {
    key->peaks_memory_ = std::make_unique<Peaks>();
    key->peaks_.store(key->peaks_memory_.get(), std::memory_order_release);
  }
  key_ = std::move(key);
  ducker_.emplace(config);
}

void InputControls::show_peaks(const float* samples, size_t frames, size_t offset) noexcept {
  Peaks* const peaks = peaks_.load(std::memory_order_acquire);
  if (peaks == nullptr) return;
  std::fill_n(peaks->begin(), offset, 0.0f);
  for (size_t i = 0; i < frames; ++i) {
    float peak = 0;
    for (uint32_t c = 0; c < channels_; ++c) {
      peak = std::max(peak, std::abs(samples[i * channels_ + c]));
    }
    (*peaks)[offset + i] = peak;
  }
}

void InputControls::process(float* samples, size_t frames, size_t offset) noexcept {
  if (frames == 0) return;
  follow();
  size_t i = 0;
  for (; i < frames && moves(); ++i) {
    for (Ramp* ramp : {&gain_, &pan_, &heard_}) ramp->advance(1);
    const Frame now = gains();
    for (uint32_t c = 0; c < channels_; ++c) samples[i * channels_ + c] *= now[c];
  }
  const Frame steady = gains();
  const bool changes =
      std::any_of(steady.begin(), steady.begin() + channels_, [](float gain) { return gain != 1; });
  for (; changes && i < frames; ++i) {
    for (uint32_t c = 0; c < channels_; ++c) samples[i * channels_ + c] *= steady[c];
  }
  if (ducker_) {
    const float* const key = key_->peaks_in(turn_);
    ducker_->process(key != nullptr ? key + offset : nullptr, samples, frames, channels_);
  }
  show_peaks(samples, frames, offset);
  recent_.add(samples, frames);
  meter_.process(samples, frames);
}

}  // namespace patchcord
