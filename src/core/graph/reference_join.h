// Joins a microphone's stream with what the loudspeakers play: each frame has the channels of both.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "../time/device_timing.h"
#include "../time/lag.h"
#include "frame_queue.h"
#include "live_input.h"
#include "producer.h"
#include "receiver.h"

namespace patchcord {

// The microphone's frames keep their bits, positions and times. The reference is read by its times,
// as a mixer reads a live input, at the microphone's rate and `lead_ns` early. Late parts of it are
// waited for, by the rule of "A recording has no deadline" (docs/architecture.md): if a device
// plays the result, by a lag that follows the need; else until they arrive, for at most
// `max_wait_ns`. A reference that has not arrived counts as silence.
class ReferenceJoin final : public Receiver, public Producer {
 public:
  struct Config {
    uint32_t sample_rate = 48000;
    uint32_t channels = 1;            // of the microphone
    uint32_t reference_channels = 1;  // as `reference` delivers them
    double lead_ns = 0;
    double max_wait_ns = static_cast<double>(kMaxWait);
  };

  ReferenceJoin(const Config& config, std::shared_ptr<LiveInput> reference);

  // The microphone's producer thread.
  void push(const float* samples, const Record& record) noexcept override;
  void end() noexcept override;
  size_t room() const noexcept override { return microphone_.room(); }
  bool live() const noexcept override { return live_.load(std::memory_order_relaxed); }
  void hold(bool held) noexcept override { hold_consumers(held); }
  void rest(bool rests) noexcept override { rest_consumers(rests); }

  // JS thread, after the last push: the waiting frames continue without a further wait.
  void flush() noexcept { join(true); }

  // Any thread.
  const LiveInput& reference() const { return *reference_; }
  double waiting_ns() const { return waiting_ns_.load(std::memory_order_relaxed); }

 private:
  void join(bool all) noexcept;
  size_t due(const FrameQueue::Span& span, bool live) noexcept;
  void skip(const FrameQueue::Span& span, size_t frames) noexcept;
  void give(const FrameQueue::Span& span, size_t frames, bool live) noexcept;
  Record record_of(const FrameQueue::Span& span, size_t frames) const noexcept;

  const Config config_;
  const std::shared_ptr<LiveInput> reference_;
  FrameQueue microphone_;  // the frames that wait
  Lag lag_{0};
  double rate_;          // the microphone's true rate
  double newest_ = 0;    // end of the newest frame
  bool pauses_ = false;  // as in Record
  std::vector<float> read_, joined_;
  std::atomic<bool> live_{false};
  std::atomic<double> waiting_ns_{0};
};

}  // namespace patchcord
