// The sharp step of a resampler for a ratio that is variable, or that has too many phases for a
// bank. It computes the coefficients of each output frame when it needs them.
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

  // How far an output frame moves the position, in units of 1 / `phases` of an input frame.
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
  const CubicDesign& design_;  // lives longer than this stage
  const ResamplerKernel& kernel_;
  const uint32_t channels_;
  const int64_t last_row_;
  const size_t ahead_;
  const size_t zeros_;
  const size_t capacity_;
  ResamplerTable history_;  // a plane of capacity_ frames for each channel
  ResamplerTable scratch_;  // scratch memory of the kernel
  float* planes_;
  double rows_per_phase_ = 0;
  ResamplerPosition position_;  // position of the first tap in the history
  size_t fill_ = 0;
};

}  // namespace patchcord
