#include "fetch_times.h"

#include <algorithm>
#include <cmath>

namespace patchcord {
namespace {

constexpr double kSecond = 1;  // one point for each second of audio
// A wait that grows by a packet in half a minute looks like another rate. So a slope counts the
// more, the longer it was observed: at first up to the error of most crystals, from kKnown on
// almost fully.
constexpr double kKnown = 120;  // s
constexpr double kFirstSlope = 1e-4, kMaxSlope = 3e-4;
// s: a packet this late for a whole second has another position; the thread was not just late
constexpr double kElsewhere = 0.1;

}  // namespace

bool FetchTimes::add(int64_t frame, int64_t time) noexcept {
  if (count_ > 0 && seconds(frame) < points_[count_ - 1].at) count_ = 0;
  if (count_ == 0) {
    origin_frame_ = frame;
    origin_time_ = time;
  }
  const double at = seconds(frame);
  const Point point{at, static_cast<double>(time - origin_time_) * 1e-9 - at};
  const bool next = count_ == 0 || at >= until_;
  if (next) {
    if (count_ > 0 && points_[count_ - 1].wait - line(points_[count_ - 1].at) > kElsewhere) {
      points_[0] = points_[count_ - 1];
      count_ = 1;
    }
    if (count_ == kPoints) {
      std::copy(points_.begin() + 1, points_.end(), points_.begin());
      --count_;
    }
    points_[count_++] = point;
    until_ = at + kSecond;
  } else if (point.wait < points_[count_ - 1].wait) {
    points_[count_ - 1] = point;
  }
  const bool below = point.wait < line(at);
  if (next || below) fit();
  return next || below;
}

void FetchTimes::renumber(int64_t by) noexcept { origin_frame_ += by; }

bool FetchTimes::rate_known() const noexcept { return span() >= kKnown; }

void FetchTimes::fit() noexcept {
  const double limit = rate_known() ? kMaxSlope : kFirstSlope * span() / kKnown;
  slope_ = count_ > 1 ? std::clamp(slope_over_middle(), -limit, limit) : 0;
  height_ = points_[0].wait - slope_ * points_[0].at;
  for (size_t i = 1; i < count_; ++i) {
    height_ = std::min(height_, points_[i].wait - slope_ * points_[i].at);
  }
}

// For two points or more: the edge of their lower hull over their mean.
double FetchTimes::slope_over_middle() const noexcept {
  std::array<size_t, kPoints> hull{};
  size_t corners = 0;
  double middle = 0;
  const auto is_above = [&](size_t corner, const Point& from, const Point& to) {
    const Point& point = points_[corner];
    return (point.wait - from.wait) * (to.at - from.at) >=
           (to.wait - from.wait) * (point.at - from.at);
  };
  for (size_t i = 0; i < count_; ++i) {
    middle += points_[i].at / static_cast<double>(count_);
    while (corners > 1 && is_above(hull[corners - 1], points_[hull[corners - 2]], points_[i])) {
      --corners;
    }
    hull[corners++] = i;
  }
  size_t right = 1;
  while (right + 1 < corners && points_[hull[right]].at < middle) ++right;
  const Point& one = points_[hull[right - 1]];
  const Point& two = points_[hull[right]];
  return (two.wait - one.wait) / (two.at - one.at);
}

int64_t FetchTimes::time_at(int64_t frame) const noexcept {
  const double at = seconds(frame);
  return origin_time_ + std::llround((at + line(at)) * 1e9);
}

}  // namespace patchcord
