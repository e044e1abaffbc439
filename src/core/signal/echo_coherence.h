// Measures whether the canceller's residual still looks like the echo that the canceller took out.
#pragma once

#include <algorithm>
#include <vector>

#include "echo_reference.h"
#include "echo_shape.h"
#include "real_fft.h"

namespace patchcord {

// A wrong filter leaves a residual that is coherent with the filter's own estimate; a talker near
// the microphone does not. No ratio of powers tells the two apart. Measured means: 0.09 when all is
// well, 0.05 while both sides talk, 0.29 to 0.52 in the half second after the path has changed.
// Audio thread; nothing but the constructor allocates.
class EchoCoherence {
 public:
  explicit EchoCoherence(const EchoShape& shape);

  void reset() noexcept { std::fill(unrest_.begin(), unrest_.end(), 1.0f); }

  // Takes the next block of both. `noise`: the power in each bin that is not echo, on the scale of
  // residual(). `active`: the reference sounds.
  void analyse(const float* residual, const float* estimate, const EchoReference& reference,
               const std::vector<float>& noise, bool active, RealFft& fft) noexcept;

  // The last two blocks were silent.
  void forget() noexcept {
    std::fill(e_samples_.begin(), e_samples_.end(), 0.0f);
    std::fill(y_samples_.begin(), y_samples_.end(), 0.0f);
  }

  // Spectra of the last two blocks under a sine window.
  std::vector<float>& residual_re() noexcept { return er_; }
  std::vector<float>& residual_im() noexcept { return ei_; }
  const std::vector<float>& residual() const noexcept { return e_power_; }  // power
  const std::vector<float>& estimate() const noexcept { return y_power_; }
  const float* samples() const noexcept { return e_samples_.data(); }  // the residual, two blocks
  const std::vector<float>& window() const noexcept { return window_; }

  // The bands: the first bin of each, and then the end of the last one.
  const std::vector<size_t>& bands() const noexcept { return bands_; }
  size_t band_count() const noexcept { return bands_.size() - 1; }
  float band(size_t b) const noexcept { return now_[b]; }  // coherence, 0 without echo

  // From 0 to 1: how certain it is that the estimate has the wrong sign or size in all bands
  // together. This shows within 20 ms of a change of the path, long before the coherence of single
  // bins.
  float wrong() const noexcept { return wrong_; }
  // 0: no coherence worth mentioning, 1: a wrong filter
  float mean() const noexcept { return mean_; }
  const std::vector<float>& unrest() const noexcept { return unrest_; }  // see EchoPath::adapt
  // upper bound of the path's power gain
  const std::vector<float>& gain() const noexcept { return gain_; }

  static float doubt(float coherence) noexcept;  // 0 to 1
  static constexpr float kLeast = 0.12f;         // coherence below it says nothing

 private:
  float correlate(size_t b) noexcept;
  void spectrum(const float* block, std::vector<float>& samples, RealFft& fft, float* re, float* im,
                float* power) noexcept;

  const EchoShape shape_;
  std::vector<size_t> bands_;
  std::vector<float> window_, padded_;
  std::vector<float> e_samples_, y_samples_;
  std::vector<float> er_, ei_, yr_, yi_, e_power_, y_power_;
  std::vector<float> cross_re_, cross_im_, e_mean_, y_mean_;  // over 60 ms
  std::vector<float> d_mean_;                                 // of the microphone, over a second
  std::vector<float> now_, slow_;                             // of the bands
  std::vector<float> unrest_, gain_;
  // Means over 10 ms for each band: the product of both signals, and their powers.
  std::vector<float> product_, e_quick_, y_quick_;
  float mean_ = 0, wrong_ = 0;
};

}  // namespace patchcord
