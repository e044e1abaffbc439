// Long tones for the loudness tests, made as they are played.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

// A sine that continues in phase from one stretch to the next.
class Tones {
 public:
  explicit Tones(uint32_t sample_rate, double hz = 1000) : rate_(sample_rate), hz_(hz) {}

  // Hands `take(frames, count)` so many seconds of it, with the peak level of each channel in dBFS.
  template <typename Take>
  void play(double seconds, const std::vector<double>& dbfs, const Take& take) {
    until_ += seconds * rate_;
    const auto end = static_cast<uint64_t>(std::llround(until_));
    std::vector<double> levels;
    for (const double level : dbfs) levels.push_back(std::pow(10, level / 20));
    std::vector<float> block;
    while (frame_ < end) {
      const size_t count = std::min<uint64_t>(end - frame_, rate_ / 50);
      block.clear();
      for (size_t i = 0; i < count; ++i, ++frame_) {
        const double turns = hz_ * static_cast<double>(frame_) / rate_;
        const double value = std::sin(2 * 3.14159265358979323846 * (turns - std::floor(turns)));
        for (const double level : levels) block.push_back(static_cast<float>(value * level));
      }
      take(block.data(), count);
    }
  }

 private:
  uint32_t rate_;
  double hz_;
  double until_ = 0;
  uint64_t frame_ = 0;
};

// In dBFS: nothing at all.
constexpr double kNoTone = -10000;
