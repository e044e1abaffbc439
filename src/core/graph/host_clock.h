// Keeps a device's sound on the host's clock: frame k of the stream is what was heard at
// start + k / rate, whatever the device's crystal does.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../signal/converter.h"
#include "../time/rate_tracker.h"

namespace patchcord {

// Audio thread. Steers a resampler by the device's true rate and, because that is never known
// exactly, by the place where it stands. Device frames are those of a Timeline, whose tracker knows
// when each was heard.
class HostClock {
 public:
  // `start`: the instant of frame 0. `converter`: variable, from the device's rate to the stream's.
  HostClock(int64_t start, Converter* converter);

  // When a frame of the stream was heard, by definition.
  double time_at(double frame) const noexcept { return start_ + frame * frame_ns_; }

  // The stream leaves out seconds: its next frame is that much later.
  void leave_out_seconds(int64_t seconds) noexcept { start_ += static_cast<double>(seconds) * 1e9; }

  // Before the converter is given `frames` more device frames. `next`: the stream's next frame.
  void feed(const RateTracker& tracker, double device_rate, uint64_t next, size_t frames) noexcept;

  // The converter has forgotten all sound and silence goes on: it need not see the next `frames`
  // device frames. Returns the frames of the stream that stand for them.
  uint64_t skip_silence(const RateTracker& tracker, uint64_t next, uint64_t frames) noexcept;

  // 0 but for a device whose stamps have leapt by more than the ratio could ever make up for: then
  // by how many device frames it is late. Above 0, so many must be left out (and told to
  // leave_out()); below it, so many are missing.
  int64_t leap(const RateTracker& tracker, uint64_t next) noexcept;
  void leave_out(uint32_t frames) noexcept {
    fed_ += frames;
    surplus_ -= frames;
  }

 private:
  double place() const noexcept { return static_cast<double>(fed_) + converter_->position(); }
  double error(const RateTracker& tracker, uint64_t next) const noexcept;  // device frames

  double start_;  // ns, of frame 0 if nothing had been left out
  const double frame_ns_, device_rate_;
  Converter* const converter_;
  uint64_t fed_ = 0;     // device frames given to the converter, or skipped
  double age_ = 0;       // s of audio so far
  int64_t surplus_ = 0;  // device frames still to be left out
};

}  // namespace patchcord
