// A device's true rate and its position in time, from the timestamps of its packets.
#pragma once

#include <cstdint>

namespace patchcord {

// A delay-locked loop with two states, position and rate (Adriaensen, "Using a DLL to filter time",
// 2005). It filters the timestamps; it does not use the length of a queue, which changes in
// packets. Its gains come from a Kalman filter whose steady state is that loop. So the first second
// is a line fitted to all timestamps so far, and the bandwidth follows the wander of a crystal as
// far as the timestamps allow, be they exact or poor, for every packet or for few. One thread at a
// time.
class RateTracker {
 public:
  // device_stamps: the timestamps are the system's own. Otherwise they are times of arrival, which
  // jitter more, and the loop takes twice the time.
  RateTracker(double nominal_rate_hz, bool device_stamps);

  // `frame` was at time_ns. Frame numbers rise, by any step. The tracker starts again at a new
  // position and keeps the rate after a timestamp more than 200 ms off, after a lower frame number,
  // and, in the first second, after three timestamps that agree on a position further off than
  // timestamps of their kind scatter. Single outliers hardly count; timestamps that stay at another
  // position take effect within a second, or after ten of them.
  void update(int64_t frame, int64_t time_ns) noexcept;

  // Sets a position and rate that are known by other means. `settled`: the rate is exact to about
  // 10 ppm.
  void set(int64_t frame, int64_t time_ns, double rate, bool settled) noexcept;
  // `frame` was at time_ns, after frames that tell nothing about the rate.
  void move_to(int64_t frame, int64_t time_ns) noexcept;
  // The tracker takes over the position of the next timestamp, however far off. It keeps the rate.
  void lose_place() noexcept;
  void renumber(int64_t by) noexcept { frame_ += by; }  // adds `by` to every frame number

  // Before the first update: frame 0 is at 0, at the nominal rate.
  int64_t time_at(double frame) const noexcept;  // ns
  double frame_at(double time_ns) const noexcept;
  double rate() const noexcept;   // frames per second
  double ppm() const noexcept;    // against nominal; above 0 the device runs fast
  bool settled() const noexcept;  // the rate is known to about 10 ppm
  // s, of the timestamps: the supposed or the observed scatter, whichever is greater
  double scatter() const noexcept;
  void reset() noexcept;

 private:
  void doubt(double rate_sigma) noexcept;
  bool goes_astray(double error) noexcept;
  void coarsen(double sigma) noexcept;

  double nominal_ns_;     // per frame
  double stamp_sigma_;    // s, supposed for the timestamps
  double wander_;         // variance of the rate that a second adds
  double frame_ns_;       // per frame, estimated
  int64_t origin_ = 0;    // ns; keeps offset_ns_ small, hence exact
  double offset_ns_ = 0;  // filtered time of frame_, after origin_
  int64_t frame_ = 0;
  // The errors of position (s) and of rate (relative): variances and covariance.
  double place_variance_ = 0;
  double covariance_ = 0;
  double rate_variance_ = 0;
  double sigma_;  // s, observed for the innovations
  // For the first second: which timestamps are too far off to be used, and how many in a row were.
  double first_jump_;  // s
  double astray_error_ = 0;
  int astray_ = 0;
  double bias_;     // s, mean of the last innovations: 0 while position and rate are right
  double elapsed_;  // s since the first stamp
  bool started_ = false;
};

}  // namespace patchcord
