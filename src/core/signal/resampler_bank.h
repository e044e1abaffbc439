// The sharp step of a resampler for an exact ratio: a low-pass filter with a row of coefficients
// for each output frame of the ratio's period.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "resampler_design.h"
#include "resampler_position.h"
#include "resampler_stage.h"

namespace patchcord {

class BankStage final : public ResamplerStage {
 public:
  // Begins `ahead` output frames before frame 0; takes at most `block` frames at a time.
  BankStage(ResamplerRatio ratio, const BankDesign& design, uint32_t channels, size_t ahead,
            size_t block);

  size_t latency_in() const noexcept override { return design_.taps - 1 - design_.lead; }
  size_t zeros_in() const noexcept override { return zeros_; }
  uint64_t period_in() const noexcept override { return design_.period_in; }
  uint64_t period_out() const noexcept override { return design_.rows; }
  void take(const float* in, size_t frames) noexcept override;
  size_t ready_frames() const noexcept override;
  void make(float* out, size_t frames) noexcept override;
  bool silent() const noexcept override;
  void reset() noexcept override;

 private:
  void make_group(size_t group, float* out, size_t frames) noexcept;
  void forget() noexcept;

  const ResamplerRatio ratio_;
  const BankDesign& design_;  // lives longer than this stage
  const ResamplerKernel& kernel_;
  const size_t channels_;
  const size_t ahead_;
  const size_t zeros_;
  const size_t capacity_;       // frames
  std::vector<float> history_;  // interleaved
  ResamplerPosition position_;  // first tap of the next frame, in the history
  size_t row_ = 0;              // row of the next frame
  size_t fill_ = 0;             // frames
};

}  // namespace patchcord
