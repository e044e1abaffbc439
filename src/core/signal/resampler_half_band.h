// The cheap steps of a resampler: halving or doubling the rate with a half-band filter. They work
// directly on interleaved frames, because all channels get the same taps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "resampler_bank.h"
#include "resampler_design.h"
#include "resampler_stage.h"

namespace patchcord {

// Both begin `ahead` output frames before frame 0 and take at most `block` frames at a time. The
// design lives longer than they do.

class HalvingStage final : public ResamplerStage {
 public:
  HalvingStage(const HalfBandDesign& design, uint32_t channels, size_t ahead, size_t block);

  size_t latency_in() const noexcept override { return 2 * side_ - 1; }
  size_t zeros_in() const noexcept override { return 2 * (ahead_ + side_); }
  uint64_t period_in() const noexcept override { return 2 * kResamplerLanes; }
  uint64_t period_out() const noexcept override { return kResamplerLanes; }
  void take(const float* in, size_t frames) noexcept override;
  size_t ready_frames() const noexcept override;
  void make(float* out, size_t frames) noexcept override;
  bool silent() const noexcept override;
  void reset() noexcept override;

 private:
  const size_t channels_;
  const size_t ahead_;
  const size_t side_;
  // Frames 0, 2, 4... are multiplied by the middle tap, frames 1, 3, 5... by the others.
  std::vector<float> even_, odd_;
  BankStage others_;
  size_t read_ = 0;  // frames of even_
  size_t fill_ = 0;
  bool odd_next_ = false;
};

class DoublingStage final : public ResamplerStage {
 public:
  DoublingStage(const HalfBandDesign& design, uint32_t channels, size_t ahead, size_t block);

  size_t latency_in() const noexcept override { return side_; }
  size_t zeros_in() const noexcept override { return (ahead_ + 1) / 2 + side_ - 1; }
  uint64_t period_in() const noexcept override { return kResamplerLanes; }
  uint64_t period_out() const noexcept override { return 2 * kResamplerLanes; }
  void take(const float* in, size_t frames) noexcept override;
  size_t ready_frames() const noexcept override;
  void make(float* out, size_t frames) noexcept override;
  bool silent() const noexcept override;
  void reset() noexcept override;

 private:
  const size_t channels_;
  const size_t ahead_;
  const size_t side_;
  std::vector<float> history_;
  BankStage others_;
  std::vector<float> between_;  // its output, half a frame off
  size_t next_ = 0;  // the next output frame, from the first input frame that is filtered
  size_t fill_ = 0;
};

}  // namespace patchcord
