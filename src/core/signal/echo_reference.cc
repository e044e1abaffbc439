#include "echo_reference.h"

#include <cstring>

namespace patchcord {
namespace {

constexpr float kSilence = 1e-9f;      // mean square: -90 dBFS, the noise of 16 bits
constexpr float kSenseless = 1e8f;     // a block whose sum of squares is higher is not sound
constexpr float kPowerShare = 0.005f;  // share of the newest block in the mean power: a second

}  // namespace

EchoReference::EchoReference(const EchoShape& shape)
    : shape_(shape),
      re_(shape.references * shape.parts * shape.stride),
      im_(re_.size()),
      samples_(shape.references * shape.transform),
      now_(shape.stride),
      power_(shape.stride),
      quiet_blocks_(shape.parts + kBeyond) {}

void EchoReference::push(const float* const* channels, RealFft& fft) noexcept {
  const size_t block = shape_.block, kept = shape_.transform - block;
  newest_ = newest_ + 1 == shape_.parts ? 0 : newest_ + 1;
  std::fill(now_.begin(), now_.end(), 0.0f);
  float level = 0;
  for (size_t c = 0; c < shape_.references; ++c) {
    float* const samples = &samples_[c * shape_.transform];
    std::memmove(samples, samples + block, kept * sizeof(float));
    float sum = 0;
    for (size_t i = 0; i < block; ++i) sum += channels[c][i] * channels[c][i];
    if (sum < kSenseless) {  // false for what is not a number
      std::memcpy(samples + kept, channels[c], block * sizeof(float));
      level += sum;
    } else {
      std::memset(samples + kept, 0, block * sizeof(float));
    }
    float *re = &re_[slot(c, 0)], *im = &im_[slot(c, 0)];
    fft.forward(samples, re, im);
    for (size_t k = 0; k < shape_.bins; ++k) now_[k] += re[k] * re[k] + im[k] * im[k];
  }
  const bool silent = level <= kSilence * static_cast<float>(block * shape_.references);
  quiet_blocks_ = silent ? std::min(quiet_blocks_ + 1, shape_.parts + kBeyond) : 0;
  if (!sounds()) return;
  for (size_t k = 0; k < shape_.bins; ++k) power_[k] += kPowerShare * (now_[k] - power_[k]);
}

}  // namespace patchcord
