#include "real_fft.h"

#include <cmath>
#include <utility>

#include "unaliased.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")  // vectors pay: the loops below are as long as the transform
#endif

namespace patchcord {
namespace {

constexpr double kTurn = 6.28318530717958647692;

// One radix-4 butterfly for `count` neighbours, `distance` apart.
void butterflies(const float* UNALIASED xr, const float* UNALIASED xi, float* UNALIASED yr,
                 float* UNALIASED yi, size_t count, size_t distance, const float* w,
                 size_t w_step) noexcept {
  const float w1r = w[0], w1i = w[1], w2r = w[w_step], w2i = w[w_step + 1];
  const float w3r = w[2 * w_step], w3i = w[2 * w_step + 1];
  for (size_t i = 0; i < count; ++i) {
    const size_t b = i + distance, c = i + 2 * distance, d = i + 3 * distance;
    const float a0r = xr[i] + xr[c], a0i = xi[i] + xi[c];
    const float a1r = xr[i] - xr[c], a1i = xi[i] - xi[c];
    const float a2r = xr[b] + xr[d], a2i = xi[b] + xi[d];
    const float a3r = xr[b] - xr[d], a3i = xi[b] - xi[d];
    const float c1r = a1r + a3i, c1i = a1i - a3r;
    const float c2r = a0r - a2r, c2i = a0i - a2i;
    const float c3r = a1r - a3i, c3i = a1i + a3r;
    yr[i] = a0r + a2r;
    yi[i] = a0i + a2i;
    yr[i + count] = c1r * w1r - c1i * w1i;
    yi[i + count] = c1r * w1i + c1i * w1r;
    yr[i + 2 * count] = c2r * w2r - c2i * w2i;
    yi[i + 2 * count] = c2r * w2i + c2i * w2r;
    yr[i + 3 * count] = c3r * w3r - c3i * w3i;
    yi[i + 3 * count] = c3r * w3i + c3i * w3r;
  }
}

void sums(const float* UNALIASED xr, const float* UNALIASED xi, float* UNALIASED yr,
          float* UNALIASED yi, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) {
    yr[i] = xr[i] + xr[i + count];
    yi[i] = xi[i] + xi[i + count];
    yr[i + count] = xr[i] - xr[i + count];
    yi[i + count] = xi[i] - xi[i + count];
  }
}

}  // namespace

RealFft::RealFft(size_t size)
    : half_(size / 2), re_(size), im_(size), cosines_(size / 4 + 1), sines_(size / 4 + 1) {
  for (size_t length = half_; length >= 4; length /= 4) {
    for (size_t k = 1; k <= 3; ++k) {
      for (size_t p = 0; p < length / 4; ++p) {
        const double angle = kTurn * static_cast<double>(p * k) / static_cast<double>(length);
        twiddles_.push_back(static_cast<float>(std::cos(angle)));
        twiddles_.push_back(static_cast<float>(-std::sin(angle)));
      }
    }
  }
  for (size_t k = 0; k < cosines_.size(); ++k) {
    const double angle = kTurn * static_cast<double>(k) / static_cast<double>(size);
    cosines_[k] = static_cast<float>(std::cos(angle));
    sines_[k] = static_cast<float>(std::sin(angle));
  }
}

void RealFft::forward(const float* samples, float* re, float* im) noexcept {
  for (size_t i = 0; i < half_; ++i) {
    re_[i] = samples[2 * i];
    im_[i] = samples[2 * i + 1];
  }
  const size_t at = run();
  const float *zr = &re_[at], *zi = &im_[at];
  re[0] = zr[0] + zi[0];
  re[half_] = zr[0] - zi[0];
  im[0] = im[half_] = 0;
  for (size_t k = 1; k <= half_ / 2; ++k) {
    const size_t j = half_ - k;
    const float er = 0.5f * (zr[k] + zr[j]), ei = 0.5f * (zi[k] - zi[j]);
    const float dr = 0.5f * (zi[k] + zi[j]), di = 0.5f * (zr[j] - zr[k]);
    const float tr = cosines_[k] * dr + sines_[k] * di, ti = cosines_[k] * di - sines_[k] * dr;
    re[k] = er + tr;
    im[k] = ei + ti;
    re[j] = er - tr;
    im[j] = ti - ei;
  }
}

void RealFft::inverse(const float* re, const float* im, float* samples) noexcept {
  float *zr = re_.data(), *zi = im_.data();
  zr[0] = 0.5f * (re[0] + re[half_]);
  zi[0] = -0.5f * (re[0] - re[half_]);
  // Conjugates the spectrum, so that a forward transform inverts it.
  for (size_t k = 1; k <= half_ / 2; ++k) {
    const size_t j = half_ - k;
    const float er = 0.5f * (re[k] + re[j]), ei = 0.5f * (im[k] - im[j]);
    const float tr = 0.5f * (re[k] - re[j]), ti = 0.5f * (im[k] + im[j]);
    const float dr = cosines_[k] * tr - sines_[k] * ti, di = cosines_[k] * ti + sines_[k] * tr;
    zr[k] = er - di;
    zi[k] = -(ei + dr);
    zr[j] = er + di;
    zi[j] = -(dr - ei);
  }
  const size_t at = run();
  const float scale = 1.0f / static_cast<float>(half_);
  for (size_t i = 0; i < half_; ++i) {
    samples[2 * i] = scale * re_[at + i];
    samples[2 * i + 1] = -scale * im_[at + i];
  }
}

// Returns where the result begins.
size_t RealFft::run() noexcept {
  size_t from = 0, to = half_, count = 1, length = half_;
  const float* w = twiddles_.data();
  for (; length >= 4; length /= 4, count *= 4) {
    const size_t quarter = length / 4;
    for (size_t p = 0; p < quarter; ++p) {
      butterflies(&re_[from + count * p], &im_[from + count * p], &re_[to + 4 * count * p],
                  &im_[to + 4 * count * p], count, count * quarter, w + 2 * p, 2 * quarter);
    }
    w += 6 * quarter;
    std::swap(from, to);
  }
  if (length == 2) {
    sums(&re_[from], &im_[from], &re_[to], &im_[to], count);
    std::swap(from, to);
  }
  return from;
}

}  // namespace patchcord
