// When packets were recorded, computed from the times at which a thread fetched them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace patchcord {

// A line under all fetches of the last minutes. No packet can be fetched before it was recorded,
// but it may be fetched late, by as long as the fetching thread sleeps. That thread wakes once a
// packet. If its period beats with the device's own, the wait grows and shrinks by a packet within
// half a second or within a minute, so a mean would be wrong. The line is the one with the least
// sum of waits: the edge of the lower convex hull over the middle (Moon, Skelly and Towsley,
// "Estimation and removal of clock skew from network delay measurements", 1999). Audio thread.
class FetchTimes {
 public:
  explicit FetchTimes(double nominal_rate_hz) : nominal_ns_(1e9 / nominal_rate_hz) {}

  // Frame numbers rise; a lower one starts the line again. Returns true if the line has changed.
  bool add(int64_t frame, int64_t time) noexcept;
  void renumber(int64_t by) noexcept;  // adds `by` to the number of every frame

  int64_t time_at(int64_t frame) const noexcept;
  double rate() const noexcept { return 1e9 / (nominal_ns_ * (1 + slope_)); }
  bool rate_known() const noexcept;

 private:
  struct Point {
    double at;    // s, counted in frames
    double wait;  // s, above the nominal line through origin
  };

  double seconds(int64_t frame) const noexcept {
    return static_cast<double>(frame - origin_frame_) * nominal_ns_ * 1e-9;
  }
  double line(double at) const noexcept { return height_ + slope_ * at; }
  void fit() noexcept;
  double slope_over_middle() const noexcept;
  double span() const noexcept { return points_[count_ - 1].at - points_[0].at; }

  static constexpr size_t kPoints = 256;
  const double nominal_ns_;
  int64_t origin_frame_ = 0, origin_time_ = 0;
  std::array<Point, kPoints> points_{};  // the earliest fetch of each second, oldest first
  size_t count_ = 0;
  double until_ = 0;  // end of the second of the last point
  double slope_ = 0, height_ = 0;
};

}  // namespace patchcord
