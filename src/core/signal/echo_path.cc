#include "echo_path.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "unaliased.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")  // most of a canceller's time is spent in the two loops below
#endif

namespace patchcord {
namespace {

// The share of the path that stays from block to block: the old path is gone within a minute and a
// half.
constexpr float kKeep = 0.99995f * 0.99995f;
// The power gain of all taps together before anything is known. The prior is spread over the
// partitions as in a real room; that spread decides how well the first second is cancelled.
constexpr float kPrior = 0.4f;
constexpr size_t kFlatParts = 4;  // 20 ms, then a room that falls by 60 dB in kDecay
constexpr double kDecay = 0.5;    // s
constexpr float kDoubt = 0.7f;    // share of the path's power that becomes uncertain after a change
constexpr float kShrink = 0.9f;
constexpr float kDamping = 1.5f;     // 1 would step as far as NLMS
constexpr float kNeighbours = 0.5f;  // at least this share of the neighbours' predicted error
constexpr float kRise = 0.55f, kFall = 0.1f;  // share of the newest block in the noise
constexpr uint32_t kPeakHz = 4000;
constexpr size_t kConstrained = 10;  // partitions constrained in each block

struct Spectrum {
  const float* re;
  const float* im;
};

// Adds x * h to `yr`, `yi`, and x's power times `p` to `s`.
void predict_part(Spectrum x, Spectrum w, const float* UNALIASED p, float* UNALIASED yr,
                  float* UNALIASED yi, float* UNALIASED s, size_t count) noexcept {
  const float *UNALIASED xr = x.re, *UNALIASED xi = x.im;
  const float *UNALIASED wr = w.re, *UNALIASED wi = w.im;
  for (size_t k = 0; k < count; ++k) {
    yr[k] += xr[k] * wr[k] - xi[k] * wi[k];
    yi[k] += xr[k] * wi[k] + xi[k] * wr[k];
    s[k] += p[k] * (xr[k] * xr[k] + xi[k] * xi[k]);
  }
}

void adapt_part(Spectrum x, Spectrum e, const float* UNALIASED step, const float* UNALIASED unrest,
                float share, float* UNALIASED wr, float* UNALIASED wi, float* UNALIASED p,
                size_t count) noexcept {
  const float *UNALIASED xr = x.re, *UNALIASED xi = x.im;
  const float *UNALIASED er = e.re, *UNALIASED ei = e.im;
  for (size_t k = 0; k < count; ++k) {
    const float gain = p[k] * step[k], power = xr[k] * xr[k] + xi[k] * xi[k];
    wr[k] += gain * (xr[k] * er[k] + xi[k] * ei[k]);
    wi[k] += gain * (xr[k] * ei[k] - xi[k] * er[k]);
    p[k] = kKeep * p[k] * (1.0f - share * gain * power) +
           (1.0f - kKeep) * unrest[k] * (wr[k] * wr[k] + wi[k] * wi[k]) + 1e-10f;
  }
}

}  // namespace

EchoPath::EchoPath(const EchoShape& shape)
    : shape_(shape),
      prior_(shape.parts),
      re_(shape.references * shape.parts * shape.stride),
      im_(re_.size()),
      covariance_(re_.size()),
      error_(shape.stride),
      noise_(shape.stride),
      step_(shape.stride),
      now_(shape.stride),
      fr_(shape.stride),
      fi_(shape.stride),
      yr_(shape.stride),
      yi_(shape.stride),
      samples_(shape.transform) {
  float sum = 0;
  for (size_t p = 0; p < shape.parts; ++p) {
    const double seconds = p < kFlatParts ? 0 : static_cast<double>(p - kFlatParts) * 0.005;
    sum += prior_[p] = static_cast<float>(std::pow(10.0, -6 * seconds / kDecay));
  }
  for (float& part : prior_) part /= sum;
  reset();
}

void EchoPath::reset() noexcept {
  std::fill(re_.begin(), re_.end(), 0.0f);
  std::fill(im_.begin(), im_.end(), 0.0f);
  for (size_t c = 0; c < shape_.references; ++c) {
    for (size_t p = 0; p < shape_.parts; ++p) {
      std::fill_n(&covariance_[at(c, p)], shape_.stride, kPrior * prior_[p]);
    }
  }
}

void EchoPath::predict(const EchoReference& reference, RealFft& fft, float* echo) noexcept {
  std::fill(yr_.begin(), yr_.end(), 0.0f);
  std::fill(yi_.begin(), yi_.end(), 0.0f);
  std::fill(error_.begin(), error_.end(), 0.0f);
  for (size_t c = 0; c < shape_.references; ++c) {
    for (size_t p = 0; p < shape_.parts; ++p) {
      predict_part({reference.re(c, p), reference.im(c, p)}, {re(c, p), im(c, p)},
                   &covariance_[at(c, p)], yr_.data(), yi_.data(), error_.data(), shape_.stride);
    }
  }
  fft.inverse(yr_.data(), yi_.data(), samples_.data());
  // The convolution is circular: only its last block is valid.
  std::memcpy(echo, &samples_[shape_.transform - shape_.block], shape_.block * sizeof(float));
}

void EchoPath::predict_silence() noexcept { std::fill(error_.begin(), error_.end(), 0.0f); }

// The step in each bin: smaller where the microphone hears other sound than the echo.
void EchoPath::weigh(const float* residual, RealFft& fft) noexcept {
  const size_t head = shape_.transform - shape_.block, last = shape_.bins - 1;
  std::memset(samples_.data(), 0, head * sizeof(float));
  std::memcpy(&samples_[head], residual, shape_.block * sizeof(float));
  fft.forward(samples_.data(), fr_.data(), fi_.data());
  for (size_t k = 0; k <= last; ++k) now_[k] = fr_[k] * fr_[k] + fi_[k] * fi_[k];
  for (size_t k = 0; k <= last; ++k) {
    const size_t below = k == 0 ? 0 : k - 1, above = std::min(last, k + 1);
    const float power = 0.5f * now_[k] + 0.25f * (now_[below] + now_[above]);
    noise_[k] += (power > noise_[k] ? kRise : kFall) * (power - noise_[k]);
    const float error = std::max(error_[k], kNeighbours * (error_[below] + error_[above]));
    step_[k] = 1.0f / (kDamping * shape_.share * error + noise_[k] + 1e-9f);
  }
}

void EchoPath::adapt(const EchoReference& reference, RealFft& fft, const float* residual,
                     const std::vector<float>& unrest) noexcept {
  weigh(residual, fft);
  for (size_t c = 0; c < shape_.references; ++c) {
    for (size_t p = 0; p < shape_.parts; ++p) {
      const size_t from = at(c, p);
      adapt_part({reference.re(c, p), reference.im(c, p)}, {fr_.data(), fi_.data()}, step_.data(),
                 unrest.data(), shape_.share, &re_[from], &im_[from], &covariance_[from],
                 shape_.stride);
    }
  }
  constrain(fft);
}

// Finds the largest tap below kPeakHz. Speech leaves much of the path unknown above it.
void EchoPath::find_peak(size_t first) noexcept {
  const size_t width = std::max<size_t>(1, shape_.rate / kPeakHz);
  float sum = 0;
  for (size_t t = 0; t < shape_.block; ++t) {
    sum += samples_[t] - (t < width ? 0 : samples_[t - width]);
    if (std::fabs(sum) <= peak_) continue;
    peak_ = std::fabs(sum);
    peak_at_ = first + t - std::min(t, width / 2);
  }
}

// The response of each partition should be in its first block of taps. Each block restores this for
// some of the partitions, in turn.
void EchoPath::constrain(RealFft& fft) noexcept {
  const size_t all = shape_.references * shape_.parts, block = shape_.block;
  for (size_t i = 0; i < std::min(kConstrained, all); ++i) {
    const size_t from = next_ * shape_.stride;
    fft.inverse(&re_[from], &im_[from], samples_.data());
    std::memset(&samples_[block], 0, (shape_.transform - block) * sizeof(float));
    find_peak(next_ % shape_.parts * block);
    for (size_t t = 0; t < block; ++t) round_power_ += samples_[t] * samples_[t];
    fft.forward(samples_.data(), &re_[from], &im_[from]);
    if (++next_ < all) continue;
    next_ = 0;
    delay_ = peak_at_;
    peak_ = 0;
    power_ = std::exchange(round_power_, 0.0f);
  }
}

void EchoPath::doubt(const std::vector<float>& gain) noexcept {
  std::fill(now_.begin(), now_.end(), 0.0f);
  for (size_t from = 0; from < re_.size(); from += shape_.stride) {
    for (size_t k = 0; k < shape_.bins; ++k) {
      now_[k] += re_[from + k] * re_[from + k] + im_[from + k] * im_[from + k];
    }
  }
  for (size_t c = 0; c < shape_.references; ++c) {
    for (size_t p = 0; p < shape_.parts; ++p) {
      float* const covariance = &covariance_[at(c, p)];
      for (size_t k = 0; k < shape_.bins; ++k) {
        const float doubted = kDoubt * prior_[p] * std::min(now_[k], gain[k]);
        covariance[k] = std::max(covariance[k], doubted);
      }
    }
  }
}

void EchoPath::shrink() noexcept {
  for (size_t i = 0; i < re_.size(); ++i) {
    re_[i] *= kShrink;
    im_[i] *= kShrink;
  }
}

void EchoPath::restore(const std::vector<float>& re, const std::vector<float>& im) noexcept {
  std::copy(re.begin(), re.end(), re_.begin());
  std::copy(im.begin(), im.end(), im_.begin());
  std::fill(noise_.begin(), noise_.end(), 0.0f);
}

}  // namespace patchcord
