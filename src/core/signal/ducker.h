// Lowers one sound while another one plays.
#pragma once

#include <cstddef>
#include <cstdint>

namespace patchcord {

// The gain falls to `gain` while the key signal is above `threshold`, stays there for `hold_frames`
// after that, and rises again. It moves by a constant number of decibels per frame: a whole fall
// takes `attack_frames` and a whole rise `release_frames`.
class Ducker {
 public:
  struct Config {
    float gain = 0.25f;        // 0 < gain < 1
    float threshold = 0.005f;  // of the key's peak, linear
    uint32_t attack_frames = 0;
    uint32_t hold_frames = 0;
    uint32_t release_frames = 0;
  };

  explicit Ducker(const Config& config);

  // Audio thread; works in place. `key`: the peak of the other sound in each frame, or null if it
  // is silent.
  void process(const float* key, float* samples, size_t frames, uint32_t channels) noexcept;

  double gain() const noexcept { return gain_; }

 private:
  const Config config_;
  const double fall_, rise_;  // factors by which the gain changes each frame
  uint32_t hold_left_ = 0;
  double gain_ = 1;
};

}  // namespace patchcord
