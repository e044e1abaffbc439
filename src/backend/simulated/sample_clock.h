// Counts a device's frames over time in exact integers, so that errors do not add up over a day.
#pragma once

#include <cmath>
#include <cstdint>

#include "../../core/time/clock.h"

namespace patchcord {

// Runs at rate * (1 + drift), the drift in steps of 0.001 ppm. It keeps an anchor (an instant, the
// frame at it and the fraction of the next one) that only moves forward: a change of drift changes
// the slope at the anchor and never the count. It uses 64-bit arithmetic, because not every
// compiler of the supported platforms has more. One thread.
class SampleClock {
 public:
  SampleClock(int64_t start, uint32_t rate, double ppm) : instant_(start) { set_slope(rate, ppm); }

  // `now` becomes the anchor; queries are valid around it and for the eight seconds after it.
  void move_to(int64_t now) {
    while (now > instant_) {
      const int64_t step = now - instant_ < kReach ? now - instant_ : kReach;
      const Count count = counted(step);
      frame_ += count.frames;
      fraction_ = count.fraction;
      instant_ += step;
    }
  }

  void set_drift(int64_t now, double ppm) {
    move_to(now);
    set_slope(rate_, ppm);
  }

  // The count continues at another rate.
  void set_rate(int64_t now, uint32_t rate) {
    move_to(now);
    set_slope(rate, ppm_);
  }

  // Whole frames counted at `instant`.
  int64_t frame_at(int64_t instant) const { return frame_ + counted(instant - instant_).frames; }

  // The first instant at which frame_at() is `frame`. For a frame before the anchor the present
  // slope is used, to the nanosecond.
  int64_t time_of(int64_t frame) const {
    const double ahead = static_cast<double>(frame - frame_) - fraction_ * 1e-18;
    int64_t instant = instant_ + std::llround(ahead * 1e9 / frames_per_second());
    if (frame <= frame_) return instant;
    while (frame_at(instant) < frame) ++instant;
    while (frame_at(instant - 1) >= frame) --instant;
    return instant;
  }

  uint32_t rate() const { return rate_; }
  double ppm() const { return ppm_; }
  double frames_per_second() const { return static_cast<double>(whole_) + part_ * 1e-9; }

 private:
  static constexpr int64_t kReach = 8 * kNsPerSecond;  // counted() is exact up to 9 s
  static constexpr int64_t kBillion = 1000000000;

  struct Count {
    int64_t frames;
    int64_t fraction;  // in 1e-18 of a frame
  };

  void set_slope(uint32_t rate, double ppm) {
    rate_ = rate;
    ppm_ = ppm;
    // Frames in 1e9 seconds, split into whole frames a second and billionths of them.
    const int64_t slope = static_cast<int64_t>(rate) * (kBillion + std::llround(ppm * 1000));
    whole_ = slope / kBillion;
    part_ = slope % kBillion;
  }

  Count counted(int64_t ns) const {
    // fraction_ = high * 1e9 + low: the sum is carried from low to high to frames.
    const int64_t low = ns * part_ + fraction_ % kBillion;
    const int64_t high = ns * whole_ + fraction_ / kBillion + low / kBillion;
    return {high / kBillion, high % kBillion * kBillion + low % kBillion};
  }

  uint32_t rate_ = 0;
  double ppm_ = 0;
  int64_t whole_ = 0;
  int64_t part_ = 0;
  int64_t instant_;
  int64_t frame_ = 0;
  int64_t fraction_ = 0;
};

}  // namespace patchcord
