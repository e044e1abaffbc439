// When a stream's frames are recorded or played, from the server's latency reports.
#pragma once

#include <cstdint>

#include "../../core/time/clock.h"
#include "../../core/time/rate_tracker.h"
#include "../backend.h"

namespace patchcord {
namespace pulse {

// Each report says "this position was heard at this instant". Its error is one-sided: a server that
// is scheduled late reports a late time, because audio since its last look is missing. So the
// earliest of several reports counts and becomes a timestamp. Audio thread.
class StreamTiming {
 public:
  // `late_ns`: timestamps that are later by more than that show frames that the server dropped.
  StreamTiming(uint32_t sample_rate, double late_ns)
      : frame_ns_(1e9 / sample_rate), late_ns_(late_ns), tracker_(sample_rate, true) {}

  // Returns the frames that the device went through without this stream (0 almost always). The
  // caller adds them to its positions, also to the later ones that it passes here.
  int64_t observe(int64_t time, double position) noexcept;
  bool known() const noexcept { return known_; }  // there is a first timestamp
  // The server may have stood still. The position of the next frames is unknown until a report is
  // in time, or until timestamps agree on the number of dropped frames.
  void doubt() noexcept;
  bool doubted() const noexcept { return doubted_; }
  // By all timestamps so far; kNoTime before the first.
  int64_t time_of(int64_t position) const noexcept;
  // By the newest timestamp, returned once for each; kNoTime if there is no new one. The caller
  // filters it; time_of() is filtered already.
  int64_t take_stamp(int64_t position) noexcept;

 private:
  const double frame_ns_;
  const double late_ns_;
  RateTracker tracker_;
  struct Stamp {
    int64_t position = 0;
    int64_t time = 0;
    double late = 0;  // against the tracker, ns
  };
  Stamp earliest_;  // of the present group of reports
  Stamp stamp_;     // of the group before
  int reports_ = 0;
  double late_ = 0;   // how late the last timestamp was, ns
  int agreeing_ = 0;  // how many timestamps in a row were equally late
  bool known_ = false;
  bool fresh_ = false;
  bool doubted_ = false;
};

// A server that delivers nothing for longer than this stood still. It then delivers what it missed
// faster than real time, or has dropped it.
constexpr int64_t kStandstill = 100 * kNsPerMs;

}  // namespace pulse
}  // namespace patchcord
