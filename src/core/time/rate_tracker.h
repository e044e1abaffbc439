// A device's true rate and its position in time, from the timestamps of its packets.
#pragma once

#include <cstdint>

namespace patchcord {

// A delay-locked loop of two states, place and rate (Adriaensen, "Using a DLL to filter time",
// 2005). It filters the stamps, never a queue's length, which moves in packets. Its gains come from
// a Kalman filter whose steady state is that loop: so the first second is a line fitted to all that
// was heard, and its bandwidth is what a crystal's wander asks for and the stamps bear, be they
// exact or poor, of every packet or of few. One thread at a time.
class RateTracker {
 public:
  // device_stamps: stamps are the system's own; otherwise moments of arrival, which jitter more and
  // are given twice the time.
  RateTracker(double nominal_rate_hz, bool device_stamps);

  // `frame` was at time_ns. Frames rise, by any step. A stamp more than 200 ms from where it was
  // expected, or a frame that goes back, begins anew at its place and keeps the rate; so do, in the
  // first second, three that agree on a place further off than stamps of their kind scatter. Single
  // outliers hardly count; stamps that stay elsewhere are believed within a second, or ten of them.
  void update(int64_t frame, int64_t time_ns) noexcept;

  // Place and rate are known by other means, the rate to about 10 ppm or not (`settled`).
  void set(int64_t frame, int64_t time_ns, double rate, bool settled) noexcept;
  // `frame` was at time_ns, after frames that say nothing of the rate.
  void move_to(int64_t frame, int64_t time_ns) noexcept;
  // The next stamp is believed, however far from where it was expected. The rate is kept.
  void lose_place() noexcept;
  void renumber(int64_t by) noexcept { frame_ += by; }  // every frame is called that much more

  // Before the first update: frame 0 at 0, at nominal rate.
  int64_t time_at(double frame) const noexcept;  // ns
  double frame_at(double time_ns) const noexcept;
  double rate() const noexcept;     // frames per second
  double ppm() const noexcept;      // of nominal; above 0 the device runs fast
  bool settled() const noexcept;    // the rate is known to about 10 ppm
  double scatter() const noexcept;  // s, of the stamps, as supposed or as seen, whichever is more
  void reset() noexcept;

 private:
  void doubt(double rate_sigma) noexcept;
  bool goes_astray(double error) noexcept;
  void coarsen(double sigma) noexcept;

  double nominal_ns_;     // per frame
  double stamp_sigma_;    // s, of the stamps as supposed
  double wander_;         // of the rate: variance that a second adds
  double frame_ns_;       // per frame, estimated
  int64_t origin_ = 0;    // ns; keeps offset_ns_ small, hence exact
  double offset_ns_ = 0;  // filtered time of frame_, after origin_
  int64_t frame_ = 0;
  // Of the errors of place (s) and of rate (relative): variances and covariance.
  double place_variance_ = 0;
  double covariance_ = 0;
  double rate_variance_ = 0;
  double sigma_;  // s, of the innovations as seen
  // In the first second: what is too far off to be used, and the stamps in a row that were.
  double first_jump_;  // s
  double astray_error_ = 0;
  int astray_ = 0;
  double bias_;     // s, the mean of the last ones: 0 while place and rate are right
  double elapsed_;  // s since the first stamp
  bool started_ = false;
};

}  // namespace patchcord
