// The way from the loudspeakers to one microphone, learnt while it is heard.
#pragma once

#include <vector>

#include "echo_reference.h"
#include "echo_shape.h"
#include "real_fft.h"

namespace patchcord {

// A Kalman filter of the echo path in the frequency domain, cut into partitions, with a diagonal
// covariance: G. Enzner, P. Vary, "Frequency-domain adaptive Kalman filter for acoustic echo
// control in hands-free telephones", Signal Processing 86 (2006); F. Kuech, E. Mabande, G. Enzner,
// "State-space architecture of the partitioned-block-based acoustic echo controller", ICASSP 2014.
// The covariance says how far the filter may be wrong in each bin; so it steps far while it knows
// little, and hardly at all while somebody near the microphone talks.
// Audio thread; nothing but the constructor allocates.
class EchoPath {
 public:
  explicit EchoPath(const EchoShape& shape);

  void reset() noexcept;  // forgets the path

  // The echo that is expected in this block, `echo`; and how wrong it may be, expected_error().
  void predict(const EchoReference& reference, RealFft& fft, float* echo) noexcept;
  void predict_silence() noexcept;  // the same where the reference is silent
  // `residual`: what the prediction left of the block. `unrest`: for each bin how many times faster
  // than usual the path is believed to change.
  void adapt(const EchoReference& reference, RealFft& fft, const float* residual,
             const std::vector<float>& unrest) noexcept;
  // The path has changed: as uncertain as in the beginning again, at the level of the path so far
  // but at most `gain` in each bin. What was learnt stays.
  void doubt(const std::vector<float>& gain) noexcept;

  const std::vector<float>& expected_error() const noexcept { return error_; }
  const float* re(size_t channel, size_t part) const noexcept { return &re_[at(channel, part)]; }
  const float* im(size_t channel, size_t part) const noexcept { return &im_[at(channel, part)]; }
  // Where the path's largest tap lies, frames.
  size_t delay_frames() const noexcept { return delay_; }

 private:
  size_t at(size_t channel, size_t part) const noexcept {
    return (channel * shape_.parts + part) * shape_.stride;
  }
  void weigh(const float* residual, RealFft& fft) noexcept;
  void constrain(RealFft& fft) noexcept;
  void find_peak(size_t first) noexcept;

  const EchoShape shape_;
  std::vector<float> prior_;       // of the path's power, a share for each partition
  std::vector<float> re_, im_;     // the path
  std::vector<float> covariance_;  // the power of its error
  std::vector<float> error_;       // expected in this block
  std::vector<float> noise_;       // what is heard beside the echo: its power, smoothed
  std::vector<float> step_, now_, fr_, fi_, yr_, yi_, samples_;
  size_t next_ = 0;  // partition to be constrained
  float peak_ = 0;   // of the taps seen in this round
  size_t peak_at_ = 0, delay_ = 0;
};

}  // namespace patchcord
