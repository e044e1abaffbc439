#include "pulse_timing.h"

#include <cmath>

namespace patchcord {
namespace pulse {
namespace {

constexpr int kReportsPerStamp = 8;
// The first packets wait for the first stamp. PipeWire's first report of a playback stream is of a
// time before it ran, 40 ms off.
constexpr int kFirstReports = 4;

}  // namespace

int64_t StreamTiming::observe(int64_t time, double position) noexcept {
  // The tracker counts whole frames.
  const double whole = std::floor(position);
  Stamp report;
  report.position = static_cast<int64_t>(whole);
  report.time = time - std::llround((position - whole) * frame_ns_);
  report.late = static_cast<double>(report.time - tracker_.time_at(whole));
  if (reports_++ == 0 || report.late < earliest_.late) earliest_ = report;
  if (reports_ < (known_ ? kReportsPerStamp : kFirstReports)) return 0;
  reports_ = 0;
  // The positions absorb what was dropped, so the time goes on as it was.
  if (known_ && earliest_.late > late_ns_) return std::llround(earliest_.late / frame_ns_);
  stamp_ = earliest_;
  tracker_.update(stamp_.position, stamp_.time);
  known_ = fresh_ = true;
  return 0;
}

int64_t StreamTiming::time_of(int64_t position) const noexcept {
  return known_ ? tracker_.time_at(static_cast<double>(position)) : kNoTime;
}

int64_t StreamTiming::take_stamp(int64_t position) noexcept {
  if (!fresh_) return kNoTime;
  fresh_ = false;
  const double frames = static_cast<double>(position - stamp_.position);
  return stamp_.time + std::llround(frames * 1e9 / tracker_.rate());
}

}  // namespace pulse
}  // namespace patchcord
