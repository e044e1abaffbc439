// Takes out of a microphone what a reference plays into its room.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "../shown.h"
#include "echo_coherence.h"
#include "echo_path.h"
#include "echo_reference.h"
#include "echo_shape.h"
#include "echo_suppressor.h"
#include "real_fft.h"

namespace patchcord {

// What a canceller has to tell, of its microphone channels together. Any thread.
struct EchoReport {
  float erle_db = 0;         // how much lower the echo is, in the last second of it
  float delay_ms = 0;        // by which the echo follows the reference; the largest tap
  bool converged = false;    // the filter has found the echo
  bool double_talk = false;  // sound near the microphone beside the echo
  bool reference_sounds = false;
  float unexplained_seconds = 0;  // both sound, and no echo of the one is found in the other
};

// A block of 5 ms at a time, at rates up to kMostRate. A filter for each microphone channel
// (EchoPath) takes out the echo, EchoCoherence says how far to trust it, a suppressor takes out the
// rest. As long as the reference is silent the output is the input, bit for bit.
// Audio thread; nothing but the constructor allocates.
class EchoCanceller {
 public:
  static constexpr uint32_t kMostRate = 48000;

  struct Config {
    uint32_t sample_rate = 48000;
    uint32_t channels = 1;            // of the microphone
    uint32_t reference_channels = 1;  // 1 or 2
    double tail_seconds = 0.2;
    EchoSuppression suppression = EchoSuppression::kModerate;
  };

  explicit EchoCanceller(const Config& config);

  uint32_t reference_channels() const noexcept { return static_cast<uint32_t>(shape_.references); }
  size_t block_frames() const noexcept { return shape_.block; }
  // How late the output is, beyond the block itself.
  size_t latency_frames() const noexcept {
    return suppression_ == EchoSuppression::kOff ? 0 : shape_.block;
  }

  // One block of each channel; what is written may be what is read.
  void process(const float* const* microphone, const float* const* reference,
               float* const* out) noexcept;
  // Whether nothing that it was given can be heard any more: a silent block would change nothing.
  bool idle() const noexcept;

  EchoReport report() const noexcept { return shown_.load(); }

 private:
  struct Channel {
    Channel(const EchoShape& shape, EchoSuppression suppression);
    EchoPath path;
    EchoCoherence analysis;
    EchoSuppressor suppressor;
    std::vector<float> microphone, residual, echo;
    float microphone_mean = 0, residual_mean = 0, bypass = 0;
    int worse_blocks = 0, doubt_blocks = 0, rest_blocks = 0;
    size_t zero_blocks = 0;  // up to kSilentBlocks
  };

  void cancel(Channel& channel, const float* microphone, float* out) noexcept;
  float subtract(Channel& channel, bool estimates, float before) noexcept;
  void doubt(Channel& channel) noexcept;
  void learn(Channel& channel) noexcept;
  void bypass(Channel& channel, bool worse) noexcept;
  void reset(Channel& channel) noexcept;
  void follow(const float* const* out) noexcept;

  const EchoShape shape_;
  const EchoSuppression suppression_;
  RealFft fft_;
  EchoReference reference_;
  std::vector<std::unique_ptr<Channel>> channels_;
  // What the report is made from: mean powers over a second with echo, and over any five seconds.
  double before_ = 0, cancelled_ = 0, after_ = 0;
  double heard_ = 0, left_ = 0;
  float unexplained_ = 0;
  Shown<EchoReport> shown_;
};

}  // namespace patchcord
