// The echo canceller as a filter: any rate, any number of frames.
#pragma once

#include <memory>
#include <vector>

#include "echo_canceller.h"
#include "filter.h"
#include "resampler.h"

namespace patchcord {

// An input frame has the microphone's channels, then the reference's; an output frame has the
// microphone's. Above EchoCanceller::kMostRate the canceller works at a whole fraction of the rate,
// and the filter adds the canceller's change to the microphone's sound at the full rate.
// Frequencies above the canceller's range, and sound that the canceller does not change, keep their
// bits.
class EchoFilter final : public Filter {
 public:
  using Config = EchoCanceller::Config;

  explicit EchoFilter(const Config& config);

  size_t process(const float* in, size_t frames, float* out) noexcept override;
  size_t held_frames() const noexcept override;
  Skip skip_silence(uint64_t in_frames) noexcept override;

  // A sample of the reference is given this much before the microphone's sample of the same time.
  // So an error of the alignment never puts the echo before the reference, which no filter could
  // follow.
  static constexpr double kLeadSeconds = 0.01;

  // Other threads read it while the filter runs, and may keep it longer than the filter.
  const std::shared_ptr<EchoCanceller>& canceller() const { return canceller_; }

 private:
  // The canceller works at the highest rate, a whole fraction of `rate`, that it supports.
  static uint32_t divisor(uint32_t rate) {
    return (rate + EchoCanceller::kMostRate - 1) / EchoCanceller::kMostRate;
  }
  size_t cancel(const float* in, size_t frames, float* out, bool difference) noexcept;
  void run_block(bool difference) noexcept;
  size_t process_fast(const float* in, size_t frames, float* out) noexcept;
  size_t resampling_frames() const noexcept;  // input frames that the resamplers hold back
  bool forgot() const noexcept;

  const uint32_t divisor_;
  const uint32_t channels_, references_;
  const std::shared_ptr<EchoCanceller> canceller_;
  const size_t block_;
  // The block being filled and the last block that came out, each with a line for each channel.
  std::vector<float> filling_, made_, before_;
  std::vector<float*> in_lines_, out_lines_;
  size_t filled_ = 0;   // frames
  size_t to_drop_;      // frames of the canceller's delay still to drop at the head
  uint64_t quiet_ = 0;  // how many input frames of zeros came last
  bool began_ = false;
  // Used above EchoCanceller::kMostRate.
  std::unique_ptr<Resampler> down_, up_;
  std::vector<float> slow_, changed_, waiting_;
  size_t waiting_frames_ = 0;  // frames of the microphone that the canceller has not processed yet
};

}  // namespace patchcord
