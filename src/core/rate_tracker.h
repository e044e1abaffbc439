// A device's true rate and its place in time, from the time stamps of its packets.
#pragma once

#include <cstdint>

namespace patchcord {

// A two-state delay-locked loop (Adriaensen, "Using a DLL to filter time", 2005): it filters the
// stamps, never a queue's length, which moves in packets. One thread at a time.
class RateTracker {
 public:
  // device_stamps: stamps are the system's own; otherwise moments of arrival, which jitter more and
  // are given twice the time.
  RateTracker(double nominal_rate_hz, bool device_stamps);

  // `frame` was at time_ns. Frames rise, by any step. A stamp more than 200 ms from where it was
  // expected, or a frame that goes back, begins anew at its place and keeps the rate.
  void update(int64_t frame, int64_t time_ns) noexcept;

  // Before the first update both are 0 at nominal rate.
  int64_t time_at(double frame) const noexcept;  // ns
  double frame_at(double time_ns) const noexcept;
  double rate() const noexcept;   // frames per second
  double ppm() const noexcept;    // of nominal; above 0 the device runs fast
  bool settled() const noexcept;  // heard long enough that the rate is known to about 10 ppm
  void reset() noexcept;

 private:
  void restart(int64_t frame, int64_t time_ns) noexcept;

  double nominal_ns_;  // per frame
  bool device_stamps_;
  double frame_ns_;       // per frame, estimated
  int64_t origin_ = 0;    // ns; keeps offset_ns_ small, hence exact
  double offset_ns_ = 0;  // filtered time of frame_, after origin_
  int64_t frame_ = 0;
  double elapsed_ = 0;  // s under observation; sets the bandwidth
  double sigma_ns_;     // of the innovations
  double beyond_ = 0;   // s for which all innovations were clamped on one side, with its sign
  bool started_ = false;
};

}  // namespace patchcord
