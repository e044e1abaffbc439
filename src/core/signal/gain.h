// A gain that may change at any moment without a click.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace patchcord {

// At a gain of exactly 1 every finite sample passes bit for bit; else what is below -602 dBFS
// becomes 0. Non-finite samples become 0 always, and a product beyond the range of float stays at
// its end.
class GainRamp {
 public:
  explicit GainRamp(uint32_t channels, float gain = 1);

  // Any thread: from the next process() on the gain goes from where it is to `gain` within
  // `ramp_frames`; 0: at once. Negative turns the polarity over; non-finite counts as 0.
  void set(float gain, uint32_t ramp_frames) noexcept;
  float gain() const noexcept { return shown_.load(std::memory_order_relaxed); }  // any thread: now

  void process(float* frames, size_t count) noexcept;  // audio thread; in place, interleaved
  size_t latency_frames() const noexcept { return 0; }
  bool skip_silence(uint64_t count) noexcept;  // audio thread; as process() of zeros

 private:
  // Read and written as one: never the gain of one call with the ramp of another.
  struct Ask {
    float gain;
    uint32_t ramp_frames;
  };
  static_assert(std::atomic<Ask>::is_always_lock_free, "an audio thread reads it");

  void follow() noexcept;
  float gain_here() const noexcept;

  uint32_t channels_;
  std::atomic<Ask> asked_;
  std::atomic<float> shown_;
  Ask followed_;
  double from_, to_;
  uint32_t ramp_frames_ = 0;
  uint32_t ramped_ = 0;
};

}  // namespace patchcord
