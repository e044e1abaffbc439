#include "pulse_timing.h"

#include <cmath>

namespace patchcord {
namespace pulse {
namespace {

constexpr int kReportsPerStamp = 8;
// The first packets wait for the first timestamp. PipeWire's first report of a playback stream is
// from before it ran, 40 ms off.
constexpr int kFirstReports = 4;
// While a server delivers what it missed, its reports become less and less late, and nothing need
// have been dropped. So more lateness than kStandstill counts only when it stays the same.
constexpr double kSame = 10e6;
constexpr int kAgreeing = 3;  // stamps

}  // namespace

void StreamTiming::doubt() noexcept {
  doubted_ = true;
  reports_ = agreeing_ = 0;
}

int64_t StreamTiming::observe(int64_t time, double position) noexcept {
  // The tracker counts whole frames.
  const double whole = std::floor(position);
  Stamp report;
  report.position = static_cast<int64_t>(whole);
  report.time = time - std::llround((position - whole) * frame_ns_);
  report.late = static_cast<double>(report.time - tracker_.time_at(whole));
  if (report.late <= kStandstill) doubted_ = false;
  if (reports_++ == 0 || report.late < earliest_.late) earliest_ = report;
  if (reports_ < (known_ ? kReportsPerStamp : kFirstReports)) return 0;
  reports_ = 0;
  // The positions include the dropped frames, so the time continues unchanged.
  if (known_ && earliest_.late > late_ns_) {
    const bool same = std::fabs(earliest_.late - late_) <= kSame;
    late_ = earliest_.late;
    agreeing_ = same ? agreeing_ + 1 : 1;
    if (late_ > kStandstill && agreeing_ < kAgreeing) return 0;
    agreeing_ = 0;
    doubted_ = false;
    return std::llround(earliest_.late / frame_ns_);
  }
  agreeing_ = 0;
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
