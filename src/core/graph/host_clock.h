// Keeps a device's audio on the host's clock: frame k of the stream was recorded at start + k /
// rate, whatever the device's crystal does.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../signal/converter.h"
#include "../time/rate_tracker.h"

namespace patchcord {

// Audio thread. Steers a resampler by the device's true rate and, because that is never known
// exactly, by the position error. The tracker of the Timeline knows when each device frame was
// recorded.
class HostClock {
 public:
  // `start`: the instant of frame 0. `converter`: variable, from the device's rate to the stream's.
  HostClock(int64_t start, Converter* converter);

  // When a frame of the stream was recorded, by definition.
  double time_at(double frame) const noexcept { return start_ + frame * frame_ns_; }

  // The stream leaves out seconds: its next frame is that much later.
  void leave_out_seconds(int64_t seconds) noexcept { start_ += static_cast<double>(seconds) * 1e9; }

  // Before the converter is given `frames` more device frames. `next`: the stream's next frame.
  void feed(const RateTracker& tracker, double device_rate, uint64_t next, size_t frames) noexcept;

  // The converter contains no sound and silence continues, so it need not process the next `frames`
  // device frames. Returns the number of stream frames that they become.
  uint64_t skip_silence(const RateTracker& tracker, uint64_t next, uint64_t frames) noexcept;

  // Normally 0. If the device's timestamps have leapt by more than the ratio can correct, the
  // number of device frames by which it is late. If above 0, that many must be left out (call
  // leave_out()); if below 0, that many are missing.
  int64_t leap(const RateTracker& tracker, uint64_t next) noexcept;
  void leave_out(uint32_t frames) noexcept {
    fed_ += frames;
    surplus_ -= frames;
  }

 private:
  double place() const noexcept { return static_cast<double>(fed_) + converter_->position(); }
  double error(const RateTracker& tracker, uint64_t next) const noexcept;  // device frames

  double start_;  // ns, time of frame 0 if nothing had been left out
  const double frame_ns_, device_rate_;
  Converter* const converter_;
  uint64_t fed_ = 0;     // device frames that the converter has processed or skipped
  double age_ = 0;       // s of audio so far
  int64_t surplus_ = 0;  // device frames that must still be left out
};

}  // namespace patchcord
