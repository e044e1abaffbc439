// Takes out of a microphone what a reference plays into its room.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "../shown.h"
#include "echo_coherence.h"
#include "echo_memory.h"
#include "echo_path.h"
#include "echo_reference.h"
#include "echo_shape.h"
#include "echo_suppressor.h"
#include "real_fft.h"

namespace patchcord {

// The state of a canceller, over all its microphone channels. Any thread.
struct EchoReport {
  float erle_db = 0;       // how far the canceller lowered the echo in the last second that had one
  float delay_ms = 0;      // the delay of the path's largest tap
  bool converged = false;  // the filter has found the echo
  bool double_talk = false;  // sound near the microphone beside the echo
  bool reference_sounds = false;
  // seconds in which both sounded, but neither contained an echo of the other
  float unexplained_seconds = 0;
};

// Works on blocks of 5 ms, at rates up to kMostRate. A filter for each microphone channel
// (EchoPath) takes out the echo, EchoCoherence measures how far that filter is right, and a
// suppressor takes out the rest. As long as the reference is silent, the output equals the input
// bit for bit. Audio thread; nothing but the constructor allocates.
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
  // The delay of the output, without that of collecting a block.
  size_t latency_frames() const noexcept {
    return suppression_ == EchoSuppression::kOff ? 0 : shape_.block;
  }

  // Takes one block of each channel. `out` may be the same memory as `microphone`.
  void process(const float* const* microphone, const float* const* reference,
               float* const* out) noexcept;
  // If false, the reference counts as silent, so the microphone's sound passes. Any thread.
  void set_cancelling(bool cancelling) noexcept {
    cancelling_.store(cancelling, std::memory_order_relaxed);
  }
  // Whether earlier blocks can no longer be heard: then a silent block changes nothing.
  bool idle() const noexcept;

  EchoReport report() const noexcept { return shown_.load(); }

 private:
  struct Channel {
    Channel(const EchoShape& shape, EchoSuppression suppression);
    EchoPath path;
    EchoMemory memory;
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
  // The sources of the report: mean powers over a second with echo, and over any five seconds.
  double before_ = 0, cancelled_ = 0, after_ = 0;
  double heard_ = 0, left_ = 0;
  float unexplained_ = 0;
  std::atomic<bool> cancelling_{true};
  const std::vector<float> silence_;  // a block
  Shown<EchoReport> shown_;
};

}  // namespace patchcord
