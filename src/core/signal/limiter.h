// A look-ahead brickwall limiter: the gain is already down when the peak arrives.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "true_peak.h"

namespace patchcord {

constexpr float kLimiterCeiling = 0.98855309f;  // -0.1 dBFS

// The peaks that stay below the ceiling: those of the samples, or also those that a converter makes
// between them (TruePeak). The second costs more and delays by 72 frames more.
enum class LimiterPeaks : uint8_t { kSamples, kTrue };

// Channels are linked: all get the same gain, so that the stereo image does not move. A signal that
// never exceeds the ceiling comes out bit for bit, latency_frames() later. Non-finite samples
// become 0. Audio thread; nothing but the constructor allocates.
class Limiter {
 public:
  Limiter(uint32_t sample_rate, uint32_t channels, float ceiling = kLimiterCeiling,
          LimiterPeaks peaks = LimiterPeaks::kSamples);

  void process(float* frames, size_t count) noexcept;               // in place, interleaved
  size_t latency_frames() const noexcept { return delay_frames_; }  // samples: 1.5 ms, rounded down
  // The lowest gain so far; 1 if the limiter never had to act. Any thread.
  double lowest_gain() const noexcept { return lowest_.load(std::memory_order_relaxed); }
  void reset() noexcept;
  bool skip_silence(uint64_t count) noexcept;  // the same as process() of zeros, see EffectFilter

 private:
  // Gains are whole numbers from 0 to kUnity. Sums of them are exact, so the gain returns exactly
  // to unity.
  void limit(float* frames, size_t count, const float* true_peaks) noexcept;
  float sample_peak(const float* frame) const noexcept;
  uint32_t required_gain(float peak) const noexcept;
  uint32_t held_gain(uint32_t required) noexcept;

  struct Dip {
    uint64_t frame;
    uint32_t gain;
  };

  uint32_t channels_;
  float ceiling_;
  std::unique_ptr<TruePeak> true_peak_;  // null: only the peaks of samples count
  float threshold_;                      // peaks above it are turned down to it
  size_t look_ahead_;
  size_t hold_;  // frames for which the lowest gain is held
  size_t delay_frames_;
  double release_;                      // share of the way back to unity, per frame
  std::unique_ptr<float[]> delay_;      // delay_frames_ frames
  std::unique_ptr<uint32_t[]> recent_;  // the last look_ahead_ + 1 gains, which are averaged
  std::unique_ptr<Dip[]> dips_;         // a queue, gains rising: the sliding minimum
  uint64_t sum_ = 0;                    // sum of recent_
  uint64_t frame_ = 0;
  size_t delay_at_ = 0;
  size_t recent_at_ = 0;
  size_t dips_at_ = 0;
  size_t dips_count_ = 0;
  uint32_t gain_ = 0;  // after hold and release, before averaging
  std::atomic<double> lowest_{1};
};

}  // namespace patchcord
