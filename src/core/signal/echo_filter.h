// The echo canceller as a filter: any rate, any number of frames.
#pragma once

#include <memory>
#include <vector>

#include "echo_canceller.h"
#include "filter.h"
#include "resampler.h"

namespace patchcord {

// A frame that goes in has the microphone's channels, then those of the reference; one that comes
// out has the microphone's. Above EchoCanceller::kMostRate the canceller works at a whole fraction
// of the rate, and what it changed is added to the microphone at its own: what lies above, and what
// it lets pass, keeps its bits.
class EchoFilter final : public Filter {
 public:
  using Config = EchoCanceller::Config;

  explicit EchoFilter(const Config& config);

  size_t process(const float* in, size_t frames, float* out) noexcept override;
  size_t held_frames() const noexcept override;
  Skip skip_silence(uint64_t in_frames) noexcept override;

  // By which a sample of the reference is given before the microphone's of the same time, so that
  // an error of the alignment never makes the echo come first: no filter could follow that.
  static constexpr double kLeadSeconds = 0.01;

  // To be read while it runs, and longer than it exists.
  std::shared_ptr<const EchoCanceller> canceller() const { return canceller_; }

 private:
  // A canceller's rate: the highest whole fraction that it takes.
  static uint32_t divisor(uint32_t rate) {
    return (rate + EchoCanceller::kMostRate - 1) / EchoCanceller::kMostRate;
  }
  size_t cancel(const float* in, size_t frames, float* out, bool difference) noexcept;
  void run_block(bool difference) noexcept;
  size_t process_fast(const float* in, size_t frames, float* out) noexcept;
  size_t resampling_frames() const noexcept;  // held back by it, of the input
  bool forgot() const noexcept;

  const uint32_t divisor_;
  const uint32_t channels_, references_;
  const std::shared_ptr<EchoCanceller> canceller_;
  const size_t block_;
  // The block that is filled, and the one that came out, a line for each channel.
  std::vector<float> filling_, made_, before_;
  std::vector<float*> in_lines_, out_lines_;
  size_t filled_ = 0;   // frames
  size_t to_drop_;      // frames of the canceller's delay, at the head
  uint64_t quiet_ = 0;  // input frames of zeros up to now
  bool began_ = false;
  // Above EchoCanceller::kMostRate.
  std::unique_ptr<Resampler> down_, up_;
  std::vector<float> slow_, changed_, waiting_;
  size_t waiting_frames_ = 0;  // of the microphone, that the canceller has not come to
};

}  // namespace patchcord
