// A gain that may change at any moment without a click.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ramp.h"

namespace patchcord {

// At a gain of exactly 1 every finite sample passes bit for bit. At other gains samples below -602
// dBFS become 0. Non-finite samples always become 0, and products beyond the range of float are
// clamped to it.
class GainRamp {
 public:
  explicit GainRamp(uint32_t channels, float gain = 1);

  // Any thread: from the next process() on, the gain moves from its present value to `gain` within
  // `ramp_frames`; 0 means at once. A negative gain inverts the polarity; a non-finite one counts
  // as 0.
  void set(float gain, uint32_t ramp_frames) noexcept;
  float gain() const noexcept { return gain_.value(); }  // any thread: the present value

  void process(float* frames, size_t count) noexcept;  // audio thread; in place, interleaved
  size_t latency_frames() const noexcept { return 0; }
  bool skip_silence(uint64_t count) noexcept;  // audio thread; the same as process() of zeros

 private:
  uint32_t channels_;
  Ramp gain_;
};

}  // namespace patchcord
