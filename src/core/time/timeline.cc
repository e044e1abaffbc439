#include "timeline.h"

#include <algorithm>
#include <cmath>

namespace patchcord {
namespace {

constexpr double kOldest = 2;     // s: no system keeps recorded audio for longer
constexpr double kAgreement = 4;  // of the stamps' scatter
// A device that was idle was so for longer: the stream takes it to be idle only after
// DeviceTiming::idle_lag.
constexpr double kLeastAgreement = 5e-3;  // s
constexpr double kLatest = 1;             // s: a packet later than that was not just late

}  // namespace

Timeline::Timeline(uint32_t sample_rate, int64_t start, bool fills_idle, const DeviceTiming& device,
                   int64_t max_fill, SleepLog* sleep_log)
    : rate_(sample_rate),
      start_(start),
      fills_idle_(fills_idle),
      device_(device),
      max_fill_(max_fill),
      sleep_log_(sleep_log),
      tracker_(sample_rate, true),
      fetches_(sample_rate),
      last_packet_(start) {
  tracker_.move_to(0, start);
}

void Timeline::begin_epoch(bool stamped) noexcept {
  if (stamped != stamped_) {
    // Another kind of timestamp needs another loop, which continues at the same position.
    const int64_t here = tracker_.time_at(static_cast<double>(next_));
    tracker_ = RateTracker(rate_, stamped);
    tracker_.move_to(next_, here);
  }
  stamped_ = stamped;
  in_epoch_ = true;
}

// The next packet is placed by its time.
void Timeline::leave_epoch() noexcept {
  if (in_epoch_) counted_ = next_ - behind_;
  in_epoch_ = false;
}

// The counter of an idle device says nothing, unless it agrees with the timestamp. Then the packet
// was only late, and the counter is the more exact of the two. If the timestamp is the time of a
// fetch, it may itself be late and proves nothing against the counter.
int64_t Timeline::agreed(int64_t at, int64_t position) const noexcept {
  const double tolerance =
      device_.fetch_stamps ? kLatest : std::max(kLeastAgreement, kAgreement * tracker_.scatter());
  const int64_t counted = counted_ + position - position_;
  return std::fabs(static_cast<double>(counted - at)) <= tolerance * rate_ ? counted : at;
}

// Before the first packet the stream's start is a bound as well: a process or a server that stood
// still meanwhile delivers that packet as late as it stood.
bool Timeline::is_plausible(int64_t time, int64_t now) const noexcept {
  const int64_t earliest = heard_ ? now : std::min(now, start_);
  return time != kNoTime && time - now <= kImplausible && earliest - time <= kImplausible;
}

// Whether counter and timestamp agree that a packet follows the one before. Then it is late,
// however old it is: a server that stood still delivers what it missed.
bool Timeline::is_late(int64_t position, int64_t time) const noexcept {
  if (position < 0 || position_ < 0 || time == kNoTime) return false;
  const double at = tracker_.frame_at(static_cast<double>(time));
  return std::fabs(static_cast<double>(counted_ + position - position_) - at) <=
         kLeastAgreement * rate_;
}

Timeline::Placement Timeline::place(uint32_t frames, int64_t position, int64_t time,
                                    int64_t now) noexcept {
  Placement placement;
  // A counter that leaps by more than a minute is broken, so the packet is placed by its time. An
  // exception is a counter that leaps to the present: it counted while the machine slept.
  if (position_ >= 0 && position - position_ > 60 * rate_) {
    const double at = static_cast<double>(next_ - behind_ + position - position_);
    const double age = tracker_.frame_at(static_cast<double>(now)) - at;
    if (std::fabs(age) > kOldest * rate_) leave_epoch();
  }
  const int64_t length = static_cast<int64_t>(frames * 1e9 / rate_);
  const bool first = !in_epoch_;
  const bool late = first && is_late(position, time);
  if (first) begin_epoch(late || is_plausible(time, now - length));
  if (!stamped_ || !(late || is_plausible(time, now))) {
    time = kNoTime;
  }
  const bool has_time = time != kNoTime;
  if (has_time && !device_.fetch_stamps) youngest_ = std::min(youngest_, now - time);
  if (!has_time) time = now - length;

  int64_t at = next_ - behind_;  // where the packet's first sample belongs
  if (first) {
    at = std::llround(tracker_.frame_at(static_cast<double>(time)));
    if (position >= 0 && position_ >= 0) at = agreed(at, position);
  } else if (position >= 0 && position_ >= 0) {
    at += std::max<int64_t>(0, position - position_);
  } else if (has_time) {
    // There is no counter: a hole shows as time that passed without frames. Timestamps jitter, so
    // only a hole of more than one and a half packets counts.
    const double late = tracker_.frame_at(static_cast<double>(time)) - static_cast<double>(at);
    if (late > 1.5 * std::max<double>(frames, rate_ * 0.01)) at += static_cast<int64_t>(late);
  }
  // The counter stood still while the machine slept.
  if (!first && has_time && time - tracker_.time_at(static_cast<double>(at)) > max_fill_) {
    at = std::llround(tracker_.frame_at(static_cast<double>(time)));
  }
  if (has_time || !stamped_) learn(at, time);
  if (position >= 0) position_ = position + frames;
  last_packet_ = now;
  period_ns_ = length;

  // Frames before the start are not kept, but they teach the clock and so the position of the
  // start.
  if (next_ <= 0 && at < 0) {
    const int64_t start = std::llround(tracker_.frame_at(static_cast<double>(start_)));
    renumber(-start);
    at -= start;
  }
  if (next_ <= 0) next_ = std::min<int64_t>(at, 0);
  const int64_t gap = shortened(at - next_);
  if (next_ < 0) {
    placement.skip = static_cast<uint32_t>(std::min<int64_t>(-next_, frames));
    next_ += placement.skip;
  } else if (gap > 0) {
    placement.silence = static_cast<uint64_t>(gap);
    if (!first) placement.lost = placement.silence;
  } else if (gap < 0) {
    placement.skip = static_cast<uint32_t>(std::min<int64_t>(-gap, frames));
    placement.back = static_cast<uint64_t>(-gap);
    if (filled_) placement.lost = placement.skip;
  }
  behind_ = next_ > 0 && gap < 0 ? -gap - placement.skip : 0;
  filled_ = filled_ && placement.skip == frames;
  return placement;
}

// The rest of a gap before the next frame, after the machine's sleep is left out. Before the first
// frame no sleep is left out: the device was not open yet.
int64_t Timeline::shortened(int64_t gap) noexcept {
  if (sleep_log_ == nullptr || next_ <= 0) return gap;
  const int64_t from = tracker_.time_at(static_cast<double>(next_));
  const int64_t until = tracker_.time_at(static_cast<double>(next_ + gap));
  if (until - from <= max_fill_) return gap;
  const int64_t seconds = sleep_log_->leave_out(from, until);
  leave_out(seconds);
  left_out_ = seconds;
  return gap - std::llround(static_cast<double>(seconds) * tracker_.rate());
}

void Timeline::leave_out(int64_t seconds) noexcept {
  renumber(-std::llround(static_cast<double>(seconds) * tracker_.rate()));
}

void Timeline::renumber(int64_t by) noexcept {
  tracker_.renumber(by);
  fetches_.renumber(by);
}

// The first timestamp gives the device's position, and nothing of its rate since the start.
void Timeline::learn(int64_t frame, int64_t time) noexcept {
  if (device_.fetch_stamps && stamped_) {
    if (fetches_.add(frame, time)) {
      tracker_.set(frame, fetches_.time_at(frame), fetches_.rate(), fetches_.rate_known());
    }
  } else if (heard_) {
    tracker_.update(frame, time);
  } else {
    tracker_.move_to(frame, time);
  }
  heard_ = true;
}

// How far the silence of an idle endpoint stays behind the clock: all packets of some drivers are
// older than usual. The youngest packet counts, because any one may be late.
int64_t Timeline::idle_lag() const noexcept {
  if (youngest_ == kNever) return device_.idle_lag;
  return device_.idle_lag + std::max<int64_t>(0, youngest_ - period_ns_);
}

// Frames whose packets the stream has waited for so long.
uint64_t Timeline::missing(int64_t now, int64_t wait) noexcept {
  const int64_t lag = idle_lag();
  if (now - last_packet_ <= std::max(3 * period_ns_, lag)) return 0;
  const auto reached = [&](int64_t behind) {
    return static_cast<int64_t>(
        std::floor(tracker_.frame_at(static_cast<double>(now) - static_cast<double>(behind))));
  };
  const int64_t place = std::max<int64_t>(next_, 0);
  // Late timestamps make the stream later than the clock: nothing is missing yet.
  if (reached(lag) <= place) return 0;
  leave_epoch();
  const int64_t certain = reached(std::max(lag, wait));
  if (certain <= place) return 0;
  next_ = place;
  const int64_t frames = shortened(certain - next_);
  if (frames < 1) return 0;
  filled_ = true;
  return static_cast<uint64_t>(frames);
}

}  // namespace patchcord
