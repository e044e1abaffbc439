#include "echo_coherence.h"

#include <cmath>
#include <cstring>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")  // loops over all bins
#endif

namespace patchcord {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr float kMost = 0.3f;    // a higher coherence counts as certain
constexpr float kQuick = 0.08f;  // share of the newest block: 60 ms
constexpr float kSlow = 0.01f;   // share of the newest block in the means of the bands: 0.5 s
constexpr float kSecond = 0.005f;
constexpr float kAtOnce = 0.4f;
constexpr float kLeastWrong = 0.3f, kMostWrong = 0.5f;  // of the correlation
constexpr float kUnrest = 200;
constexpr float kHeard = 4;  // an estimate so far above the noise is an echo
constexpr int kLeastBands = 3;
constexpr float kBandHz = 250, kBandRatio = 1.25f;

}  // namespace

float EchoCoherence::doubt(float coherence) noexcept {
  return std::clamp((coherence - kLeast) / (kMost - kLeast), 0.0f, 1.0f);
}

EchoCoherence::EchoCoherence(const EchoShape& shape)
    : shape_(shape),
      window_(2 * shape.block),
      padded_(shape.transform),
      e_samples_(2 * shape.block),
      y_samples_(2 * shape.block),
      er_(shape.stride),
      ei_(shape.stride),
      yr_(shape.stride),
      yi_(shape.stride),
      e_power_(shape.stride),
      y_power_(shape.stride),
      cross_re_(shape.stride),
      cross_im_(shape.stride),
      e_mean_(shape.stride),
      y_mean_(shape.stride),
      d_mean_(shape.stride),
      unrest_(shape.stride, 1.0f),
      gain_(shape.stride) {
  const size_t both = 2 * shape.block;
  for (size_t i = 0; i < both; ++i) {
    const double at = (static_cast<double>(i) + 0.5) / static_cast<double>(both);
    window_[i] = static_cast<float>(std::sin(kPi * at));
  }
  const float rate = static_cast<float>(shape.rate);
  const float bin = rate / static_cast<float>(shape.transform);
  for (float f = 0; f < rate / 2; f = std::max(f + kBandHz, f * kBandRatio)) {
    const size_t first = std::min(shape.bins - 1, static_cast<size_t>(f / bin + 0.5f));
    if (bands_.empty() || first > bands_.back()) bands_.push_back(first);
  }
  bands_.push_back(shape.bins);
  now_.resize(band_count());
  slow_.resize(band_count());
  for (auto* line : {&product_, &e_quick_, &y_quick_}) line->resize(band_count());
}

void EchoCoherence::spectrum(const float* block, std::vector<float>& samples, RealFft& fft,
                             float* re, float* im, float* power) noexcept {
  const size_t size = shape_.block;
  std::memmove(samples.data(), &samples[size], size * sizeof(float));
  std::memcpy(&samples[size], block, size * sizeof(float));
  for (size_t i = 0; i < 2 * size; ++i) padded_[i] = samples[i] * window_[i];
  std::fill(padded_.begin() + static_cast<std::ptrdiff_t>(2 * size), padded_.end(), 0.0f);
  fft.forward(padded_.data(), re, im);
  for (size_t k = 0; k < shape_.bins; ++k) power[k] = re[k] * re[k] + im[k] * im[k];
}

// The residual of a right estimate has nothing in common with the estimate. If the path has
// changed, the residual contains the old estimate with its sign inverted; if the estimate is too
// small, the residual contains the rest of it. In both cases the real parts of all bins add up.
float EchoCoherence::correlate(size_t b) noexcept {
  float product = 0, e = 0, y = 0;
  for (size_t k = bands_[b]; k < bands_[b + 1]; ++k) {
    product += er_[k] * yr_[k] + ei_[k] * yi_[k];
    e += e_power_[k];
    y += y_power_[k];
  }
  product_[b] += kAtOnce * (product - product_[b]);
  e_quick_[b] += kAtOnce * (e - e_quick_[b]);
  y_quick_[b] += kAtOnce * (y - y_quick_[b]);
  return product_[b] / std::sqrt(e_quick_[b] * y_quick_[b] + 1e-20f);
}

void EchoCoherence::analyse(const float* residual, const float* estimate,
                            const EchoReference& reference, const std::vector<float>& noise,
                            bool active, RealFft& fft) noexcept {
  spectrum(estimate, y_samples_, fft, yr_.data(), yi_.data(), y_power_.data());
  spectrum(residual, e_samples_, fft, er_.data(), ei_.data(), e_power_.data());
  for (size_t k = 0; k < shape_.bins; ++k) {
    cross_re_[k] += kQuick * (er_[k] * yr_[k] + ei_[k] * yi_[k] - cross_re_[k]);
    cross_im_[k] += kQuick * (ei_[k] * yr_[k] - er_[k] * yi_[k] - cross_im_[k]);
    e_mean_[k] += kQuick * (e_power_[k] - e_mean_[k]);
    y_mean_[k] += kQuick * (y_power_[k] - y_mean_[k]);
    const float re = er_[k] + yr_[k], im = ei_[k] + yi_[k];
    d_mean_[k] += kSecond * (re * re + im * im - d_mean_[k]);
  }
  float sum = 0, correlation = 0;
  int heard = 0;
  for (size_t b = 0; b < band_count(); ++b) {
    float cross = 0, both = 1e-20f, y = 0, floor = 0, x = 1e-12f, d = 0;
    for (size_t k = bands_[b]; k < bands_[b + 1]; ++k) {
      cross += cross_re_[k] * cross_re_[k] + cross_im_[k] * cross_im_[k];
      both += e_mean_[k] * y_mean_[k];
      y += y_mean_[k];
      floor += noise[k];
      x += reference.power()[k];
      d += d_mean_[k];
    }
    const float common = correlate(b);
    now_[b] = 0;
    if (active && y > kHeard * floor) {
      now_[b] = cross / both;
      sum += now_[b];
      correlation += common;
      ++heard;
      slow_[b] += kSlow * (now_[b] - slow_[b]);
    }
    const float unrest = 1 + kUnrest * doubt(slow_[b]), gain = d / x / shape_.share;
    for (size_t k = bands_[b]; k < bands_[b + 1]; ++k) {
      unrest_[k] = unrest;
      gain_[k] = gain;
    }
  }
  mean_ = wrong_ = 0;
  if (heard <= kLeastBands) return;
  mean_ = doubt(sum / static_cast<float>(heard));
  const float size = std::fabs(correlation) / static_cast<float>(heard);
  wrong_ = std::clamp((size - kLeastWrong) / (kMostWrong - kLeastWrong), 0.0f, 1.0f);
}

}  // namespace patchcord
