// A step of a resampler's cascade.
#pragma once

#include <cstddef>
#include <cstdint>

namespace patchcord {

// Interleaved f32 in and out. A filter without delay: output frame k is the signal at k * in / out
// of its input. The first that it makes may lie before frame 0 (the next step's filter looks back).
class ResamplerStage {
 public:
  virtual ~ResamplerStage() = default;

  // Input frames that must follow a position before its output can be made.
  virtual size_t latency_in() const noexcept = 0;
  // Frames before frame 0 that it is to be given first.
  virtual size_t zeros_in() const noexcept = 0;
  // When everything repeats: so many input frames make so many output frames.
  virtual uint64_t period_in() const noexcept = 0;
  virtual uint64_t period_out() const noexcept = 0;

  // At most as many as it was made for; null: zeros.
  virtual void take(const float* in, size_t frames) noexcept = 0;
  virtual size_t ready_frames() const noexcept = 0;
  // No more than are ready.
  virtual void make(float* out, size_t frames) noexcept = 0;
  virtual bool silent() const noexcept = 0;  // all that it remembers is zeros
  virtual void reset() noexcept = 0;
};

}  // namespace patchcord
