// The path from the loudspeakers to one microphone, learnt while the loudspeakers play.
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
// The covariance says how far the filter may be wrong in each bin. So the filter takes large steps
// while the path is uncertain, and very small ones while a person near the microphone talks. Audio
// thread; nothing but the constructor allocates.
class EchoPath {
 public:
  explicit EchoPath(const EchoShape& shape);

  void reset() noexcept;  // forgets the path

  // Writes the echo expected in this block to `echo`; expected_error() says how wrong it may be.
  void predict(const EchoReference& reference, RealFft& fft, float* echo) noexcept;
  void predict_silence() noexcept;  // the same where the reference is silent
  // `residual`: the block after the prediction was taken out. `unrest`: for each bin, how many
  // times faster than usual the path seems to change.
  void adapt(const EchoReference& reference, RealFft& fft, const float* residual,
             const std::vector<float>& unrest) noexcept;
  // The path has changed: it becomes as uncertain as at the start, at the level of the path so far
  // but at most `gain` in each bin. The taps stay as they are.
  void doubt(const std::vector<float>& gain) noexcept;
  // The path does more harm than good: all taps become smaller.
  void shrink() noexcept;
  // Puts back taps that all_re() and all_im() gave earlier.
  void restore(const std::vector<float>& re, const std::vector<float>& im) noexcept;

  const std::vector<float>& expected_error() const noexcept { return error_; }
  const float* re(size_t channel, size_t part) const noexcept { return &re_[at(channel, part)]; }
  const float* im(size_t channel, size_t part) const noexcept { return &im_[at(channel, part)]; }
  const std::vector<float>& all_re() const noexcept { return re_; }
  const std::vector<float>& all_im() const noexcept { return im_; }
  // The power gain of all taps together, as of the last few blocks.
  float power() const noexcept { return power_; }
  // The place of the path's largest tap, in frames.
  size_t delay_frames() const noexcept { return delay_; }

 private:
  size_t at(size_t channel, size_t part) const noexcept {
    return (channel * shape_.parts + part) * shape_.stride;
  }
  void weigh(const float* residual, RealFft& fft) noexcept;
  void constrain(RealFft& fft) noexcept;
  void find_peak(size_t first) noexcept;

  const EchoShape shape_;
  std::vector<float> prior_;       // the share of each partition in the path's power
  std::vector<float> re_, im_;     // the path
  std::vector<float> covariance_;  // the power of its error
  std::vector<float> error_;       // the power of the error expected in this block
  std::vector<float> noise_;       // the smoothed power of sound that is not the echo
  std::vector<float> step_, now_, fr_, fi_, yr_, yi_, samples_;
  size_t next_ = 0;  // next partition to constrain
  float peak_ = 0;   // the largest tap seen in this round
  size_t peak_at_ = 0, delay_ = 0;
  float round_power_ = 0, power_ = 0;
};

}  // namespace patchcord
