#include "echo_suppressor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")  // loops over all bins
#endif

namespace patchcord {
namespace {

constexpr float kBlockSeconds = 0.005f;
// Factors of power. kOver: how much of the residual echo is taken out while only the far end
// sounds; kOverNear: while the near end talks.
constexpr float kOver = 12, kOverNear = 0.5f;
constexpr float kOverHigh = 24, kOverNearHigh = 3;
constexpr float kFloor = 0.0158f;   // -36 dB
constexpr float kDirected = 0.85f;  // share of the last block's decision
constexpr float kHold = 0.85f;      // share of the old estimate that stays each block
constexpr float kFirstLeak = 0.7f, kLeastLeak = 1e-5f, kMostLeak = 2;
constexpr float kLeakFall = 0.08f, kLeakRise = 3 * kBlockSeconds;  // per block; dB per block
constexpr float kLeakFast = 0.3f, kLeakCoherent = 1.5f;
// Factors for three parts of the echo's power: of the predicted error, of the estimate as far as
// the residual is coherent with it, and of the estimate as far as it is wrong.
constexpr float kExpected = 2, kCoherent = 2, kWrong = 4;
constexpr float kNearAbove = 6, kNearNoise = 2;
constexpr float kNearRise = 0.4f, kNearFall = 0.08f;
// the end of the path is learnt while the near end is below this
constexpr float kNearLearns = 0.3f;
constexpr float kFirstDecay = 0.85f, kLeastDecay = 0.8f, kMostDecay = 0.94f;
constexpr int kLateBlocks = 100;  // beyond the path's length no echo is heard for longer than this
constexpr float kFirstNoise = 1e-4f;
constexpr float kNoiseRise = 1.0006f, kNoiseDrift = 1.0001f;
// the tracked minimum lies 6 dB below the mean; the noise is 2 dB below it
constexpr float kComfort = 2.82f;

float decibels(float power) noexcept { return 10 * std::log10(power); }

}  // namespace

EchoSuppressor::EchoSuppressor(const EchoShape& shape, size_t bands, EchoSuppression strength)
    : shape_(shape),
      strength_(strength),
      leak_(bands),
      power_(bands),
      held_(shape.stride),
      echo_(shape.stride),
      gain_(shape.stride),
      kept_(shape.stride),
      noise_(shape.stride, kFirstNoise),
      smooth_(shape.stride),
      overlap_(shape.block),
      samples_(shape.transform),
      cosines_(1024),
      late_(shape.stride),
      end_(shape.stride),
      part_power_(shape.parts),
      decay_(kFirstDecay) {
  for (size_t i = 0; i < cosines_.size(); ++i) {
    cosines_[i] = static_cast<float>(std::cos(6.28318530717958647692 * static_cast<double>(i) /
                                              static_cast<double>(cosines_.size())));
  }
  reset();
}

void EchoSuppressor::reset() noexcept {
  std::fill(leak_.begin(), leak_.end(), kFirstLeak);
  std::fill(late_.begin(), late_.end(), 0.0f);
  std::fill(end_.begin(), end_.end(), 0.0f);
}

void EchoSuppressor::process(EchoCoherence& analysis, const EchoPath& path,
                             const EchoReference& reference, RealFft& fft, float* out) noexcept {
  const bool any = find_residual(analysis, path, reference);
  find_near(analysis);
  if (any) {
    find_gains(analysis);
  } else {
    kept_ = analysis.residual();  // of the same size, so nothing is allocated
  }
  follow_noise(analysis);
  if (any) {
    apply(analysis, fft, out);
  } else {
    pass(analysis, out);
  }
  passes_ = !any;
}

// Estimates the part of the echo that is later than the path is long. It decays as the second half
// of the path does.
void EchoSuppressor::find_late(const EchoPath& path, const EchoReference& reference) noexcept {
  const size_t parts = shape_.parts, half = parts / 2, quarter = (parts - half) / 2;
  float power = 0;  // weighted by the reference: bins that nothing excited hold noise
  for (size_t c = 0; c < shape_.references; ++c) {
    const float *re = path.re(c, part_), *im = path.im(c, part_);
    for (size_t k = 1; k + 1 < shape_.bins; ++k) {
      power += reference.power()[k] * (re[k] * re[k] + im[k] * im[k]);
    }
  }
  part_power_[part_] = power;
  if (++part_ == parts) {
    part_ = 0;
    float first = 1e-12f, second = 1e-12f;
    for (size_t i = 0; i < quarter; ++i) {
      first += part_power_[half + i];
      second += part_power_[half + quarter + i];
    }
    if (near_ < kNearLearns) {
      const float fall = std::pow(second / first, 1.0f / static_cast<float>(quarter));
      decay_ += 0.3f * (std::clamp(fall, kLeastDecay, kMostDecay) - decay_);
    }
  }
  for (size_t k = 0; k < shape_.bins; ++k) {
    float end = 0, x = 0;
    for (size_t c = 0; c < shape_.references; ++c) {
      for (size_t p = parts - 2; p < parts; ++p) {
        end += path.re(c, p)[k] * path.re(c, p)[k] + path.im(c, p)[k] * path.im(c, p)[k];
      }
      const float xr = reference.re(c, parts - 1)[k], xi = reference.im(c, parts - 1)[k];
      x += xr * xr + xi * xi;
    }
    // A talker near the microphone disturbs the end of the path most.
    if (near_ < kNearLearns || 0.5f * end < end_[k]) end_[k] += 0.05f * (0.5f * end - end_[k]);
    late_[k] = decay_ * (late_[k] + shape_.share * x * end_[k]);
  }
}

// Estimates the power of the remaining echo. Returns whether that matters in any bin.
bool EchoSuppressor::find_residual(const EchoCoherence& analysis, const EchoPath& path,
                                   const EchoReference& reference) noexcept {
  const std::vector<float>&left = analysis.residual(), &estimate = analysis.estimate();
  const std::vector<size_t>& bands = analysis.bands();
  for (size_t k = 0; k < shape_.bins; ++k) held_[k] = std::max(estimate[k], kHold * held_[k]);
  find_late(path, reference);
  silent_blocks_ = reference.sounds() ? 0 : std::min(silent_blocks_ + 1, kLateBlocks);
  if (silent_blocks_ == kLateBlocks) {
    std::fill(held_.begin(), held_.end(), 0.0f);
    std::fill(late_.begin(), late_.end(), 0.0f);
  }
  // Used only while the near end is silent: while it talks, the covariance proves nothing.
  const float expected = kExpected * (1 - std::min(1.0f, 2 * near_)) * shape_.share;
  bool any = false;
  for (size_t b = 0; b < leak_.size(); ++b) {
    float e = 0, y = 0, noise = 0, late = 0;
    for (size_t k = bands[b]; k < bands[b + 1]; ++k) {
      late += late_[k];
      e += left[k];
      y += held_[k];
      noise += noise_[k];
    }
    // The ratio of residual to estimate. It falls fast and rises slowly, because a near-end talker
    // must not raise it; it moves faster as far as the residual is coherent with the estimate.
    if (reference.sounds() && y > 4 * noise && y > 1e-9f) {
      const float ratio = std::min(std::max(e - late, 0.1f * e) / y, 4.0f);
      const float up = decibels(ratio / leak_[b] + 1e-9f);
      float step = up < 0 ? kLeakFall * up : std::min(0.01f * up, kLeakRise);
      if (up > 0 && analysis.mean() > 0) {
        const float proven = decibels(std::min(1.0f, kLeakCoherent * analysis.band(b) + 1e-3f));
        step = std::max(step, kLeakFast * analysis.mean() * (up + proven));
      }
      leak_[b] = std::clamp(leak_[b] * std::pow(10.0f, 0.1f * step), kLeastLeak, kMostLeak);
    }
    power_[b] = e;
    const float coherent = std::max(0.0f, analysis.band(b) - EchoCoherence::kLeast);
    for (size_t k = bands[b]; k < bands[b + 1]; ++k) {
      const float wrong = std::min(expected * path.expected_error()[k], left[k]);
      const float power = std::max(leak_[b] * held_[k], wrong) + late_[k];
      const float proven = std::max(std::min(kCoherent * held_[k], coherent * left[k]),
                                    std::min(kWrong * held_[k], analysis.wrong() * left[k]));
      echo_[k] = std::max(power, proven);
      any = any || echo_[k] > 1e-3f * (left[k] + 1e-12f);
    }
  }
  return any;
}

// Finds the near end: the bands that are louder than echo and noise, weighted by amplitude.
void EchoSuppressor::find_near(const EchoCoherence& analysis) noexcept {
  const std::vector<size_t>& bands = analysis.bands();
  float near = 0, all = 1e-9f;
  for (size_t b = 0; b < power_.size(); ++b) {
    float echo = 0, noise = 0;
    for (size_t k = bands[b]; k < bands[b + 1]; ++k) {
      echo += echo_[k];
      noise += noise_[k];
    }
    const float amplitude = std::sqrt(power_[b]);
    all += amplitude;
    if (power_[b] <= kNearAbove * echo + kNearNoise * noise) continue;
    near += amplitude * (1 - EchoCoherence::doubt(analysis.band(b)));
  }
  const float share = near / all * (1 - analysis.wrong());
  near_ += (share > near_ ? kNearRise : kNearFall) * (share - near_);
}

void EchoSuppressor::find_gains(const EchoCoherence& analysis) noexcept {
  const bool high = strength_ == EchoSuppression::kHigh;
  const float alone = high ? kOverHigh : kOver, talking = high ? kOverNearHigh : kOverNear;
  const float over = alone + (talking - alone) * std::min(1.0f, 2 * near_);
  const std::vector<float>& left = analysis.residual();
  for (size_t k = 0; k < shape_.bins; ++k) {
    const float echo = over * echo_[k] + 1e-14f;
    const float ratio =
        kDirected * kept_[k] / echo + (1 - kDirected) * std::max(left[k] / echo - 1, 0.0f);
    gain_[k] = std::max(ratio / (1 + ratio), kFloor);
    kept_[k] = gain_[k] * gain_[k] * left[k];
  }
  float before = gain_[0];
  for (size_t k = 1; k + 1 < shape_.bins; ++k) {
    const float smooth = 0.25f * (before + gain_[k + 1]) + 0.5f * gain_[k];
    before = gain_[k];
    gain_[k] = smooth;
  }
}

// Follows the noise: a slow minimum of the residual, which rises only while there is no echo.
void EchoSuppressor::follow_noise(const EchoCoherence& analysis) noexcept {
  const std::vector<float>& left = analysis.residual();
  for (size_t k = 0; k < shape_.bins; ++k) {
    smooth_[k] += 0.06f * (left[k] - smooth_[k]);
    const float down = noise_[k] + 0.1f * (smooth_[k] - noise_[k]);
    const float up = noise_[k] * (echo_[k] < 0.1f * left[k] ? kNoiseRise : kNoiseDrift);
    noise_[k] = smooth_[k] < noise_[k] ? down : up;
  }
}

// There is no echo: the output keeps the bits of the input, except for a fade after a block that
// was changed.
void EchoSuppressor::pass(const EchoCoherence& analysis, float* out) noexcept {
  const float *samples = analysis.samples(), *window = analysis.window().data();
  const size_t block = shape_.block;
  for (size_t i = 0; i < block; ++i) {
    out[i] = passes_ ? samples[i] : overlap_[i] + samples[i] * window[i] * window[i];
  }
  for (size_t i = block; i < 2 * block; ++i) {
    overlap_[i - block] = samples[i] * window[i] * window[i];
  }
}

void EchoSuppressor::silence(EchoCoherence& analysis, float* out) noexcept {
  analysis.forget();
  std::fill(overlap_.begin(), overlap_.end(), 0.0f);
  std::fill_n(out, shape_.block, 0.0f);
  passes_ = true;
}

void EchoSuppressor::apply(EchoCoherence& analysis, RealFft& fft, float* out) noexcept {
  std::vector<float>&re = analysis.residual_re(), &im = analysis.residual_im();
  const size_t last = shape_.bins - 1, block = shape_.block;
  for (size_t k = 0; k <= last; ++k) {
    const float gain = gain_[k];
    const float level = std::sqrt(kComfort * noise_[k] * std::max(0.0f, 1 - gain * gain));
    random_ = random_ * 1664525u + 1013904223u;
    const size_t angle = random_ >> 22;
    re[k] = re[k] * gain + level * cosines_[angle];
    im[k] = im[k] * gain + level * cosines_[(angle + 256) & 1023];
  }
  im[0] = im[last] = 0;
  fft.inverse(re.data(), im.data(), samples_.data());
  const float* const window = analysis.window().data();
  for (size_t i = 0; i < block; ++i) {
    out[i] = overlap_[i] + samples_[i] * window[i];
    overlap_[i] = samples_[block + i] * window[block + i];
  }
}

}  // namespace patchcord
