// When a stream's frames are heard, from the server's latency reports.
#pragma once

#include <cstdint>

#include "../../core/time/clock.h"
#include "../../core/time/rate_tracker.h"
#include "../backend.h"

namespace patchcord {
namespace pulse {

// Each report says "this position was heard at this instant". Its error is one-sided: a server that
// is scheduled late stamps late, and what was heard since it last looked is missing. So of several
// reports the earliest is believed, and becomes a stamp. Audio thread.
class StreamTiming {
 public:
  // `late_ns`: stamps that are later by more than that show frames that the server dropped.
  StreamTiming(uint32_t sample_rate, double late_ns)
      : frame_ns_(1e9 / sample_rate), late_ns_(late_ns), tracker_(sample_rate, true) {}

  // Returns the frames that the device went through without this stream (0 almost always). The
  // caller adds them to its positions, later ones given here included.
  int64_t observe(int64_t time, double position) noexcept;
  bool known() const noexcept { return known_; }  // a first stamp is there
  // The server may have stood still: until a report is in time, or stamps agree on what was
  // dropped, it is not known where the next frames stand.
  void doubt() noexcept;
  bool doubted() const noexcept { return doubted_; }
  // By all stamps so far; kNoTime before the first.
  int64_t time_of(int64_t position) const noexcept;
  // By the newest stamp, once for each; kNoTime when there is nothing new. To be filtered: what
  // time_of() says has been already.
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
  Stamp earliest_;  // of the reports under way
  Stamp stamp_;     // of those before
  int reports_ = 0;
  double late_ = 0;   // what the last stamp was late by, ns
  int agreeing_ = 0;  // so many stamps in a row were late by the same
  bool known_ = false;
  bool fresh_ = false;
  bool doubted_ = false;
};

// A server that hands over nothing for longer than that stood still. It then hands over what it
// missed faster than that was heard, or has dropped it.
constexpr int64_t kStandstill = 100 * kNsPerMs;

}  // namespace pulse
}  // namespace patchcord
