// The sharp step of a resampler for a ratio that moves, or has too many phases for a bank: it makes
// the coefficients of each output frame as it goes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "resampler_design.h"
#include "resampler_position.h"
#include "resampler_stage.h"

namespace patchcord {

class CubicStage final : public ResamplerStage {
 public:
  // Begins `ahead` output frames before frame 0; takes at most `block` frames at a time.
  CubicStage(ResamplerRatio ratio, const CubicDesign& design, uint32_t channels, size_t ahead,
             size_t block);

  // What an output frame adds to the position, in the parts of an input frame that `phases` says.
  void set_step(uint64_t phases, uint64_t step) noexcept;

  size_t latency_in() const noexcept override { return design_.taps - 1 - design_.lead; }
  size_t zeros_in() const noexcept override { return zeros_; }
  uint64_t period_in() const noexcept override { return ratio_.in; }
  uint64_t period_out() const noexcept override { return ratio_.out; }
  void take(const float* in, size_t frames) noexcept override;
  size_t ready_frames() const noexcept override;
  void make(float* out, size_t frames) noexcept override;
  bool silent() const noexcept override;
  void reset() noexcept override;

 private:
  void forget() noexcept;

  const ResamplerRatio ratio_;
  const CubicDesign& design_;  // outlives it
  const ResamplerKernel& kernel_;
  const uint32_t channels_;
  const int64_t last_row_;
  const size_t ahead_;
  const size_t zeros_;
  const size_t capacity_;
  ResamplerTable history_;  // a plane of capacity_ frames for each channel
  ResamplerTable scratch_;  // the kernel's
  float* planes_;
  double rows_per_phase_ = 0;
  ResamplerPosition position_;  // of the first tap, in the history
  size_t fill_ = 0;
};

}  // namespace patchcord
