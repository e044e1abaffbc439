// When a stream's frames are heard, from the server's latency reports.
#pragma once

#include <cstdint>

#include "../backend.h"

namespace patchcord {
namespace pulse {

// Each report says "this position was heard at this instant". Its error is one-sided: a server that
// is scheduled late stamps late, and what was heard since it last looked is missing. So the lowest
// offset of several reports is believed, and a line through the last ones gives the device's drift.
// Audio thread.
class StreamTiming {
 public:
  explicit StreamTiming(uint32_t sample_rate) : frame_ns_(1e9 / sample_rate) {}

  // Returns the frames that the device went through without this stream (0 almost always): reports
  // that stay later than any period explains. The caller adds them to its positions, later ones
  // given here included.
  int64_t observe(int64_t time, double position) noexcept;
  bool known() const noexcept { return origin_ != kNoTime; }
  // kNoTime before the first report.
  int64_t time_of(int64_t position) const noexcept;

 private:
  int64_t close_window() noexcept;
  void fit() noexcept;
  double offset_at(double time) const noexcept { return level_ + slope_ * (time - center_); }

  struct Low {
    double time = 0;    // ns after origin_
    double offset = 0;  // time less position, ns
  };
  static constexpr int kLows = 16;

  const double frame_ns_;
  int64_t origin_ = kNoTime;  // keeps the doubles small, hence exact
  Low lows_[kLows];           // of the last windows
  int count_ = 0;
  int next_ = 0;
  Low window_;  // of the one under way
  int reports_ = 0;
  double center_ = 0;
  double level_ = 0;
  double slope_ = 0;
};

}  // namespace pulse
}  // namespace patchcord
