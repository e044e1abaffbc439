// Removes the steps where sound and silence meet in a stream.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace patchcord {

// All output of a stream passes through here, in place. After the end of a sound, the signal falls
// from the last frame to zero within kSeconds, added to whatever follows. A sound that begins in
// its middle rises within the same time. The two together crossfade one sound into another. The
// number of frames never changes. Audio thread, except the constructor.
class Fade {
 public:
  static constexpr double kSeconds = 0.003;

  Fade() = default;
  Fade(uint32_t channels, uint32_t sample_rate)
      : length_(static_cast<size_t>(kSeconds * sample_rate)), last_(channels), falling_(channels) {}

  // The sound so far ends here. Returns false, and does nothing, if it has ended already.
  bool fall() noexcept {
    if (!std::exchange(sounds_, false)) return false;
    if (std::any_of(last_.begin(), last_.end(), is_sound)) {
      std::copy(last_.begin(), last_.end(), falling_.begin());
      fall_left_ = length_;
    }
    return true;
  }
  // One part of the sound so far ends here; `frame` was its last.
  void fall(const float* frame) noexcept {
    const float left = fallen(fall_left_);
    for (size_t c = 0; c < falling_.size(); ++c) falling_[c] = falling_[c] * left + frame[c];
    fall_left_ = length_;
  }
  // The next sound begins in its middle: it fades in.
  void rise() noexcept { rise_left_ = length_; }
  // The listener has heard silence meanwhile: nothing is left to fade.
  void restart() noexcept {
    sounds_ = false;
    fall_left_ = 0;
    rise();
  }
  size_t fall_left() const noexcept { return fall_left_; }  // frames
  bool falling() const noexcept { return fall_left_ > 0; }
  // Whether the last frame given out was not silence.
  bool audible() const noexcept {
    return falling() || (sounds_ && std::any_of(last_.begin(), last_.end(), is_sound));
  }
  bool passes() const noexcept { return fall_left_ == 0 && rise_left_ == 0; }  // sound unchanged

  void sound(float* frames, size_t count) noexcept {
    if (count == 0) return;
    const size_t channels = last_.size();
    for (size_t i = 0; i < count && rise_left_ > 0; ++i) {
      const float gain = 1 - fallen(--rise_left_);
      for (size_t c = 0; c < channels; ++c) frames[i * channels + c] *= gain;
    }
    add_fall(frames, count);
    follow(frames, count);
  }
  // Notes sound that passes unchanged.
  void follow(const float* frames, size_t count) noexcept {
    if (count == 0) return;
    std::copy_n(frames + (count - 1) * last_.size(), last_.size(), last_.begin());
    sounds_ = true;
  }
  // Writes the rest of the fade into a silence.
  void silence(float* frames, size_t count) noexcept {
    std::fill_n(frames, count * last_.size(), 0.0f);
    add_fall(frames, count);
  }

 private:
  static bool is_sound(float sample) noexcept { return sample != 0; }
  float fallen(size_t left) const noexcept {
    return static_cast<float>(left) / static_cast<float>(length_);
  }
  void add_fall(float* frames, size_t count) noexcept {
    const size_t channels = last_.size();
    for (size_t i = 0; i < count && fall_left_ > 0; ++i) {
      const float gain = fallen(--fall_left_);
      for (size_t c = 0; c < channels; ++c) frames[i * channels + c] += falling_[c] * gain;
    }
  }

  size_t length_ = 0;
  size_t fall_left_ = 0, rise_left_ = 0;
  bool sounds_ = false;  // the last frame given out was sound
  std::vector<float> last_, falling_;
};

}  // namespace patchcord
