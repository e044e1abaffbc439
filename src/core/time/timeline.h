// Where a device's packets belong on the stream's timeline: frame 0 is the stream's start, every
// later frame follows without a break, and what the device did not deliver is silence of its
// length.
#pragma once

#include <cstdint>
#include <utility>

#include "clock.h"
#include "device_timing.h"
#include "fetch_times.h"
#include "rate_tracker.h"
#include "sleep_log.h"

namespace patchcord {

// Audio thread. Counts in frames of the device's own rate.
class Timeline {
 public:
  // `start`: the instant of frame 0. `fills_idle`: a device that delivers nothing while nothing
  // plays (loopback) gets silence by the clock once that is certain; a microphone does not, its
  // silence is a symptom. Of what is longer than `max_fill` ns `sleep_log`'s seconds are left out.
  Timeline(uint32_t sample_rate, int64_t start, bool fills_idle, const DeviceTiming& device = {},
           int64_t max_fill = kNever, SleepLog* sleep_log = nullptr);

  struct Placement {
    uint64_t silence = 0;  // zero frames that come before the packet
    uint32_t skip = 0;     // frames at the packet's start that are covered already
    uint64_t back = 0;     // ... by so many frames, of which the first `skip` are these
    // Frames of audio that nobody hears: the silence, where it is not for quiet, or those skipped
    // because an idle device's silence had been put in their place.
    uint64_t lost = 0;
  };
  // For a packet of `frames`, arriving `now`. `time` and `position` as in backend.h's Packet;
  // negative position and kNoTime mean unknown.
  Placement place(uint32_t frames, int64_t position, int64_t time, int64_t now) noexcept;

  // How many frames before the next one the device's counter was at `position`.
  int64_t ago(int64_t position) const noexcept { return behind_ + position_ - position; }

  // After a wake-up that found nothing: frames of silence that are certain. Their packets can no
  // longer come, because the system says that nothing plays (`wait` 0), or because they have been
  // waited for, `wait` ns. This is the only place where a stream's silence is decided.
  uint64_t idle(int64_t now, int64_t wait) noexcept { return fills_idle_ ? missing(now, wait) : 0; }

  // Of a device of which nothing more is waited for: frames that it owes, and does not deliver.
  uint64_t owed(int64_t now) noexcept { return missing(now, 0); }

  // The next frame is that many seconds later than it would be.
  void leave_out(int64_t seconds) noexcept;
  int64_t take_left_out() noexcept { return std::exchange(left_out_, 0); }  // seconds, since then

  void advance(uint64_t frames) noexcept { next_ += static_cast<int64_t>(frames); }
  bool begun() const noexcept { return next_ > 0; }  // false: all that came was before the start
  const RateTracker& tracker() const noexcept { return tracker_; }
  bool stamped() const noexcept { return stamped_; }  // false: times are those of arrival

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
  FetchTimes fetches_;       // what the tracker is told if stamps are those of fetches
  int64_t next_ = 0;         // first frame not yet on the timeline; below 0: before the start
  int64_t behind_ = 0;       // next_ less where the last packet ended: all of that is skipped
  int64_t position_ = -1;    // the device's counter behind the last packet
  int64_t counted_ = 0;      // where that stood when the epoch was left
  int64_t last_packet_ = 0;  // when it arrived
  int64_t period_ns_ = 0;    // length of the last packet
  bool in_epoch_ = false;    // packets follow each other; false: place the next one by its time
  bool filled_ = false;      // idle() has filled since the last packet that had its place
  bool stamped_ = true;
  bool heard_ = false;         // there has been a stamp
  int64_t youngest_ = kNever;  // the least age of a packet's first frame when it came
  int64_t left_out_ = 0;
};

}  // namespace patchcord
