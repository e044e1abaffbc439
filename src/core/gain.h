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
  // Needs no rate; kernels are all made alike.
  GainRamp(uint32_t sample_rate, uint32_t channels, float gain = 1);

  // Any thread: from the next process() on the gain goes from where it is to `gain` within
  // `ramp_frames`; 0: at once. Negative turns the polarity over; non-finite counts as 0.
  void set(float gain, uint32_t ramp_frames) noexcept;
  float target() const noexcept;  // any thread: what was set last
  float gain() const noexcept { return shown_.load(std::memory_order_relaxed); }  // any thread: now

  void process(float* frames, size_t count) noexcept;  // audio thread; in place, interleaved
  size_t latency_frames() const noexcept { return 0; }
  void reset() noexcept;  // audio thread: a ramp that is under way ends here

 private:
  void follow() noexcept;
  float next_gain() noexcept;

  uint32_t channels_;
  // Gain and ramp in one word: never the gain of one call with the ramp of another.
  std::atomic<uint64_t> asked_;
  std::atomic<float> shown_;
  uint64_t followed_;
  double from_, to_;
  uint32_t ramp_frames_ = 0;
  uint32_t ramped_ = 0;
};

}  // namespace patchcord
