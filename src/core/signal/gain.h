// A gain that may change at any moment without a click.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ramp.h"

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
  float gain() const noexcept { return gain_.value(); }  // any thread: now

  void process(float* frames, size_t count) noexcept;  // audio thread; in place, interleaved
  size_t latency_frames() const noexcept { return 0; }
  bool skip_silence(uint64_t count) noexcept;  // audio thread; as process() of zeros

 private:
  uint32_t channels_;
  Ramp gain_;
};

}  // namespace patchcord
