#include "pulse_timing.h"

#include <algorithm>
#include <cmath>

namespace patchcord {
namespace pulse {
namespace {

constexpr int kReportsPerWindow = 8;
// PipeWire's largest usual quantum is 2048 frames, 43 ms: a report may be that stale.
constexpr double kLate = 60e6;
// Crystals stay within 200 ppm; a steeper line is noise of the first seconds.
constexpr double kMaxSlope = 500e-6;

}  // namespace

int64_t StreamTiming::observe(int64_t time, double position) noexcept {
  if (!known()) origin_ = time;
  const double at = static_cast<double>(time - origin_);
  const double offset = at - position * frame_ns_;
  if (reports_++ == 0 || offset < window_.offset) window_ = {at, offset};
  if (reports_ == kReportsPerWindow) return close_window();
  // Until a window is full its best report is all there is.
  if (count_ == 0) level_ = window_.offset;
  return 0;
}

int64_t StreamTiming::time_of(int64_t position) const noexcept {
  if (!known()) return kNoTime;
  // The line is over time; that position and time differ by the offset moves it by parts of a ns.
  const double at = static_cast<double>(position) * frame_ns_ + level_;
  return origin_ + std::llround(static_cast<double>(position) * frame_ns_ + offset_at(at));
}

int64_t StreamTiming::close_window() noexcept {
  reports_ = 0;
  const double shift = count_ > 0 ? window_.offset - offset_at(window_.time) : 0;
  if (shift > kLate) {
    // The positions absorb it, so the line stays.
    return std::llround(shift / frame_ns_);
  }
  if (shift < -kLate) count_ = next_ = 0;  // another latency than it said so far: begin anew
  lows_[next_] = window_;
  next_ = (next_ + 1) % kLows;
  count_ = std::min(count_ + 1, kLows);
  fit();
  return 0;
}

void StreamTiming::fit() noexcept {
  double time = 0;
  double offset = 0;
  for (int i = 0; i < count_; ++i) {
    time += lows_[i].time / count_;
    offset += lows_[i].offset / count_;
  }
  double moment = 0;
  double spread = 0;
  for (int i = 0; i < count_; ++i) {
    moment += (lows_[i].time - time) * (lows_[i].offset - offset);
    spread += (lows_[i].time - time) * (lows_[i].time - time);
  }
  center_ = time;
  level_ = offset;
  // Two or three points show the reports' noise, not a drift.
  slope_ = count_ < 4 ? 0 : std::clamp(moment / spread, -kMaxSlope, kMaxSlope);
}

}  // namespace pulse
}  // namespace patchcord
