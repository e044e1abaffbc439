// One step of a resampler's cascade.
#pragma once

#include <cstddef>
#include <cstdint>

namespace patchcord {

// Input and output are interleaved f32. The filter has no delay: output frame k is the signal at k
// * in / out of its input. The first output frame may lie before frame 0, because the filter of the
// next step looks back.
class ResamplerStage {
 public:
  virtual ~ResamplerStage() = default;

  // Input frames that must follow a position before its output can be made.
  virtual size_t latency_in() const noexcept = 0;
  // How many frames before frame 0 its input must begin.
  virtual size_t zeros_in() const noexcept = 0;
  // The period after which everything repeats: so many input frames make so many output frames.
  virtual uint64_t period_in() const noexcept = 0;
  virtual uint64_t period_out() const noexcept = 0;

  // At most the number of frames that it was made for; null means zeros.
  virtual void take(const float* in, size_t frames) noexcept = 0;
  virtual size_t ready_frames() const noexcept = 0;
  // At most the number of frames that are ready.
  virtual void make(float* out, size_t frames) noexcept = 0;
  virtual bool silent() const noexcept = 0;  // the history contains only zeros
  virtual void reset() noexcept = 0;
};

}  // namespace patchcord
