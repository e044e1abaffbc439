// The spectra of the sound that the loudspeakers play. The filters of all microphone channels share
// them.
#pragma once

#include <vector>

#include "echo_shape.h"
#include "real_fft.h"

namespace patchcord {

// Audio thread; nothing but the constructor allocates.
class EchoReference {
 public:
  explicit EchoReference(const EchoShape& shape);

  // Takes the next block of each channel, shape.references of them. A block that is not finite, or
  // far too loud to be sound, counts as silence.
  void push(const float* const* channels, RealFft& fft) noexcept;

  // The spectrum of the last shape.transform samples, `ago` blocks before the newest.
  const float* re(size_t channel, size_t ago) const noexcept { return &re_[slot(channel, ago)]; }
  const float* im(size_t channel, size_t ago) const noexcept { return &im_[slot(channel, ago)]; }

  // Whether there was sound within the tail of the echo.
  bool sounds() const noexcept { return quiet_blocks_ < shape_.parts + kBeyond; }
  // Power of the bins, over a second of sound.
  const std::vector<float>& power() const noexcept { return power_; }

 private:
  // Blocks beyond the tail: those in the transform, and those that the suppressor delays.
  static constexpr size_t kBeyond = 3;

  size_t slot(size_t channel, size_t ago) const noexcept {
    const size_t at = ago <= newest_ ? newest_ - ago : newest_ + shape_.parts - ago;
    return (channel * shape_.parts + at) * shape_.stride;
  }

  const EchoShape shape_;
  std::vector<float> re_, im_;  // a ring of shape.parts spectra for each channel
  std::vector<float> samples_;  // the newest shape.transform of each channel
  std::vector<float> now_, power_;
  size_t newest_ = 0;
  size_t quiet_blocks_;
};

}  // namespace patchcord
