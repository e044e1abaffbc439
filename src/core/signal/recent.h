// The latest frames of a stream, from which the next ones are predicted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace patchcord {

// Audio thread, except the constructor.
class Recent {
 public:
  // More frames would cost more time on an audio thread, and would not improve a prediction of 3
  // ms.
  static constexpr double kSeconds = 0.005;
  static constexpr size_t kMost = 512;

  Recent() = default;
  Recent(uint32_t channels, uint32_t sample_rate)
      : channels_(channels),
        most_(std::min(kMost, static_cast<size_t>(kSeconds * sample_rate))),
        samples_(most_ * channels) {}

  void add(const float* frames, size_t count) noexcept {
    if (count < most_) {
      std::copy(samples_.begin() + static_cast<ptrdiff_t>(count * channels_), samples_.end(),
                samples_.begin());
    } else {
      frames += (count - most_) * channels_;
      count = most_;
    }
    std::copy_n(frames, count * channels_, &samples_[(most_ - count) * channels_]);
    frames_ = std::min(most_, frames_ + count);
  }
  void clear() noexcept { frames_ = 0; }
  // Takes away what another stream has added to this one. The frames end at the same instant.
  // Frames that the other stream does not have count as zeros.
  void subtract(const Recent& other) noexcept {
    const size_t first = (most_ - std::min(frames_, other.frames_)) * channels_;
    for (size_t i = first; i < samples_.size(); ++i) samples_[i] -= other.samples_[i];
  }

  uint32_t channels() const noexcept { return channels_; }
  size_t frames() const noexcept { return frames_; }
  const float* data() const noexcept { return samples_.data() + (most_ - frames_) * channels_; }
  // Whether the last frame is not silence.
  bool audible() const noexcept {
    return frames_ > 0 && std::any_of(samples_.end() - static_cast<ptrdiff_t>(channels_),
                                      samples_.end(), [](float sample) { return sample != 0; });
  }

 private:
  uint32_t channels_ = 0;
  size_t most_ = 0, frames_ = 0;
  std::vector<float> samples_;
};

}  // namespace patchcord
