#include "input_controls.h"

#include <algorithm>

#include "../signal/channel_map.h"

namespace patchcord {

InputControls::InputControls(uint32_t channels, uint32_t sample_rate)
    : channels_(channels), meter_(channels, sample_rate) {}

void InputControls::follow() noexcept {
  for (Ramp* ramp : {&gain_, &pan_, &heard_}) {
    ramp->follow();
    if (!begun_) ramp->finish();
  }
  begun_ = true;
}

// Balance: the side turned to keeps its level, the other falls to nothing. Speakers that are on no
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

void InputControls::process(float* samples, size_t frames) noexcept {
  if (frames == 0) return;
  follow();
  size_t i = 0;
  for (; i < frames && moves(); ++i) {
    for (Ramp* ramp : {&gain_, &pan_, &heard_}) ramp->advance(1);
    const Frame now = gains();
    for (uint32_t c = 0; c < channels_; ++c) samples[i * channels_ + c] *= now[c];
  }
  const Frame steady = gains();
  for (; i < frames; ++i) {
    for (uint32_t c = 0; c < channels_; ++c) samples[i * channels_ + c] *= steady[c];
  }
  std::copy_n(samples + (frames - 1) * channels_, channels_, last_.begin());
  meter_.process(samples, frames);
}

}  // namespace patchcord
