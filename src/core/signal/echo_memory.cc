#include "echo_memory.h"

#include <algorithm>

#include "unaliased.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")  // loops over all bins
#endif

namespace patchcord {
namespace {

constexpr float kShare = 0.1f;   // share of the newest block in the means: 50 ms
constexpr float kWorks = 0.12f;  // a path works if it leaves less than this share of the power
constexpr int kKeepBlocks = 100;
constexpr float kLost = 0.25f;  // a path with less than this share of the kept power is lost
// The kept path explains a block if it leaves less than this share of what the present path leaves.
constexpr float kBetter = 0.3f;
constexpr int kBetterBlocks = 3;

void add_echo(const float* UNALIASED xr, const float* UNALIASED xi, const float* UNALIASED wr,
              const float* UNALIASED wi, float* UNALIASED yr, float* UNALIASED yi,
              size_t count) noexcept {
  for (size_t k = 0; k < count; ++k) {
    yr[k] += xr[k] * wr[k] - xi[k] * wi[k];
    yi[k] += xr[k] * wi[k] + xi[k] * wr[k];
  }
}

}  // namespace

EchoMemory::EchoMemory(const EchoShape& shape)
    : shape_(shape),
      re_(shape.references * shape.parts * shape.stride),
      im_(re_.size()),
      yr_(shape.stride),
      yi_(shape.stride),
      samples_(shape.transform) {}

void EchoMemory::keep(const EchoPath& path) noexcept {
  std::copy(path.all_re().begin(), path.all_re().end(), re_.begin());
  std::copy(path.all_im().begin(), path.all_im().end(), im_.begin());
  power_ = path.power();
}

void EchoMemory::predict(const EchoReference& reference, RealFft& fft) noexcept {
  std::fill(yr_.begin(), yr_.end(), 0.0f);
  std::fill(yi_.begin(), yi_.end(), 0.0f);
  for (size_t c = 0; c < shape_.references; ++c) {
    for (size_t p = 0; p < shape_.parts; ++p) {
      const size_t from = (c * shape_.parts + p) * shape_.stride;
      add_echo(reference.re(c, p), reference.im(c, p), &re_[from], &im_[from], yr_.data(),
               yi_.data(), shape_.stride);
    }
  }
  fft.inverse(yr_.data(), yi_.data(), samples_.data());
}

bool EchoMemory::recognises(const EchoPath& path, const EchoReference& reference, RealFft& fft,
                            const float* microphone, const float* residual) noexcept {
  float heard = 0, left = 0;
  for (size_t i = 0; i < shape_.block; ++i) {
    heard += microphone[i] * microphone[i];
    left += residual[i] * residual[i];
  }
  heard_ += kShare * (heard - heard_);
  left_ += kShare * (left - left_);
  if (left_ < kWorks * heard_) {
    if (++good_blocks_ < kKeepBlocks) return false;
    good_blocks_ = 0;
    keep(path);
    return false;
  }
  if (path.power() >= kLost * power_) return false;
  predict(reference, fft);
  float kept_left = 0;
  for (size_t i = 0; i < shape_.block; ++i) {
    const float error = microphone[i] - echo()[i];
    kept_left += error * error;
  }
  better_blocks_ = kept_left < kBetter * left ? better_blocks_ + 1 : 0;
  return better_blocks_ >= kBetterBlocks;
}

}  // namespace patchcord
