// Places a device's packets on the stream's timeline. Frame 0 is the stream's start, later frames
// follow without a break, and silence stands for the frames that the device did not deliver.
#pragma once

#include <cstdint>
#include <utility>

#include "clock.h"
#include "device_timing.h"
#include "fetch_times.h"
#include "rate_tracker.h"
#include "sleep_log.h"

namespace patchcord {

// Audio thread. Counts frames at the device's own rate.
class Timeline {
 public:
  // `start`: the instant of frame 0. `fills_idle`: the device is a loopback, which delivers nothing
  // while nothing plays; the timeline fills that time with silence once it is certain. It does not
  // fill a microphone's, because there a lack of packets is a fault. A gap longer than `max_fill`
  // ns is not filled completely: the timeline leaves out the seconds that `sleep_log` says.
  Timeline(uint32_t sample_rate, int64_t start, bool fills_idle, const DeviceTiming& device = {},
           int64_t max_fill = kNever, SleepLog* sleep_log = nullptr);

  struct Placement {
    uint64_t silence = 0;  // zero frames to put before the packet
    uint32_t skip = 0;     // frames at the packet's start that are on the timeline already
    // the frames before next_ that the packet reaches back; `skip` are the first of these
    uint64_t back = 0;
    // Frames of audio that no listener gets: the silence, unless nothing played; or the skipped
    // frames, if the timeline has put an idle device's silence in their place.
    uint64_t lost = 0;
  };
  // Places a packet of `frames` that arrived at `now`. `time` and `position` are as in Packet
  // (backend.h): a negative position and kNoTime mean unknown.
  Placement place(uint32_t frames, int64_t position, int64_t time, int64_t now) noexcept;

  // How many frames before the next one the device's counter was at `position`.
  int64_t ago(int64_t position) const noexcept { return behind_ + position_ - position; }

  // After a wake-up without a packet: returns the frames of silence that are now certain. Their
  // packets can no longer come, because the system says that nothing plays (`wait` 0), or because
  // the stream has waited for them for `wait` ns. This is the only place that decides a stream's
  // silence.
  uint64_t idle(int64_t now, int64_t wait) noexcept { return fills_idle_ ? missing(now, wait) : 0; }

  // For a device from which no more packets are expected: the frames that it owes.
  uint64_t owed(int64_t now) noexcept { return missing(now, 0); }

  // The next frame is that many seconds later than it would be.
  void leave_out(int64_t seconds) noexcept;
  // seconds left out since the last call
  int64_t take_left_out() noexcept { return std::exchange(left_out_, 0); }

  void advance(uint64_t frames) noexcept { next_ += static_cast<int64_t>(frames); }
  // false: everything so far was before the start
  bool begun() const noexcept { return next_ > 0; }
  const RateTracker& tracker() const noexcept { return tracker_; }
  bool stamped() const noexcept { return stamped_; }  // false: times are times of arrival

 private:
  uint64_t missing(int64_t now, int64_t wait) noexcept;
  int64_t idle_lag() const noexcept;
  void begin_epoch(bool stamped) noexcept;
  bool is_plausible(int64_t time, int64_t now) const noexcept;
  bool is_late(int64_t position, int64_t time) const noexcept;
  void leave_epoch() noexcept;
  int64_t agreed(int64_t at, int64_t position) const noexcept;
  void learn(int64_t frame, int64_t time) noexcept;
  void renumber(int64_t by) noexcept;
  int64_t shortened(int64_t gap) noexcept;

  const double rate_;
  const int64_t start_;
  const bool fills_idle_;
  const DeviceTiming device_;
  const int64_t max_fill_;
  SleepLog* const sleep_log_;
  RateTracker tracker_;
  FetchTimes fetches_;       // the tracker's input if timestamps are those of fetches
  int64_t next_ = 0;         // first frame not yet on the timeline; below 0: before the start
  int64_t behind_ = 0;       // next_ minus the end of the last packet: frames to skip
  int64_t position_ = -1;    // the device's counter at the end of the last packet
  int64_t counted_ = 0;      // the same when the epoch ended
  int64_t last_packet_ = 0;  // when the last packet arrived
  int64_t period_ns_ = 0;    // length of the last packet
  bool in_epoch_ = false;    // packets follow each other; false: the next one is placed by its time
  bool filled_ = false;      // idle() has filled since the last packet that was placed
  bool stamped_ = true;
  bool heard_ = false;         // there has been a timestamp
  int64_t youngest_ = kNever;  // the least age of a packet's first frame at its arrival
  int64_t left_out_ = 0;
};

}  // namespace patchcord
