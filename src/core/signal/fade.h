// Removes the steps where sound and silence meet in a stream.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "prediction.h"
#include "recent.h"
#include "smoothstep.h"

namespace patchcord {

// All output of a stream passes through here, in place. After the end of a sound, a prediction
// continues it and falls to zero within kSeconds, added to whatever follows. A sound that begins in
// its middle rises within the same time. The two together crossfade one sound into another. The
// number of frames never changes. Audio thread, except the constructor.
class Fade {
 public:
  static constexpr double kSeconds = 0.003;

  Fade() = default;
  Fade(uint32_t channels, uint32_t sample_rate)
      : channels_(channels),
        length_(static_cast<size_t>(kSeconds * sample_rate)),
        recent_(channels, sample_rate),
        falling_(length_ * channels),
        part_(length_ * channels) {}

  // The sound so far ends here. Returns false, and does nothing, if it has ended already.
  bool fall() noexcept {
    if (!std::exchange(sounds_, false)) return false;
    if (recent_.audible()) predict_fall(recent_, falling_);
    recent_.clear();
    return true;
  }
  // One part of the sound so far ends here. `part` has its last frames.
  void fall(const Recent& part) noexcept {
    if (!part.audible()) return;
    std::copy(falling_.end() - static_cast<ptrdiff_t>(fall_left_ * channels_), falling_.end(),
              falling_.begin());
    std::fill(falling_.begin() + static_cast<ptrdiff_t>(fall_left_ * channels_), falling_.end(),
              0.0f);
    predict_fall(part, part_);
    for (size_t i = 0; i < falling_.size(); ++i) falling_[i] += part_[i];
  }
  // The next sound begins in its middle: it fades in.
  void rise() noexcept { rise_left_ = length_; }
  // The listener has heard silence meanwhile: nothing is left to fade.
  void restart() noexcept {
    sounds_ = false;
    fall_left_ = 0;
    recent_.clear();
    rise();
  }
  size_t fall_left() const noexcept { return fall_left_; }  // frames
  bool falling() const noexcept { return fall_left_ > 0; }
  // Whether the last frame given out was not silence.
  bool audible() const noexcept { return falling() || (sounds_ && recent_.audible()); }
  bool passes() const noexcept { return fall_left_ == 0 && rise_left_ == 0; }  // sound unchanged

  void sound(float* frames, size_t count) noexcept {
    if (count == 0) return;
    for (size_t i = 0; i < count && rise_left_ > 0; ++i) {
      const float gain = 1 - fallen(--rise_left_);
      for (size_t c = 0; c < channels_; ++c) frames[i * channels_ + c] *= gain;
    }
    add_fall(frames, count);
    follow(frames, count);
  }
  // Notes sound that passes unchanged.
  void follow(const float* frames, size_t count) noexcept {
    if (count == 0) return;
    recent_.add(frames, count);
    sounds_ = true;
  }
  // Writes the rest of the fade into a silence.
  void silence(float* frames, size_t count) noexcept {
    std::fill_n(frames, count * channels_, 0.0f);
    if (falling()) {
      add_fall(frames, count);
      recent_.add(frames, count);
    } else if (count > 0) {
      recent_.clear();
    }
  }

 private:
  float fallen(size_t left) const noexcept {
    return smoothstep(static_cast<float>(left) / static_cast<float>(length_));
  }
  void predict_fall(const Recent& recent, std::vector<float>& out) noexcept {
    predict(recent, out.data(), length_);
    for (size_t i = 0; i < length_; ++i) {
      const float gain = fallen(length_ - 1 - i);
      for (size_t c = 0; c < channels_; ++c) out[i * channels_ + c] *= gain;
    }
    fall_left_ = length_;
  }
  void add_fall(float* frames, size_t count) noexcept {
    const float* const fall = falling_.data() + (length_ - fall_left_) * channels_;
    const size_t part = std::min(count, fall_left_);
    for (size_t i = 0; i < part * channels_; ++i) frames[i] += fall[i];
    fall_left_ -= part;
  }

  size_t channels_ = 0;
  size_t length_ = 0;
  size_t fall_left_ = 0, rise_left_ = 0;
  bool sounds_ = false;  // the last frame given out was sound
  Recent recent_;        // the output since the last end
  std::vector<float> falling_, part_;
};

}  // namespace patchcord
