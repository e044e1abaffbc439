#include "resampler_half_band.h"

#include <algorithm>
#include <cstring>

#include "sane_sample.h"

namespace patchcord {
namespace {

bool all_zero(const float* from, const float* to) {
  return std::all_of(from, to, [](float sample) { return sample == 0; });
}

void drop(std::vector<float>* samples, size_t gone, size_t end) {
  std::memmove(samples->data(), samples->data() + gone, (end - gone) * sizeof(float));
}

}  // namespace

HalvingStage::HalvingStage(const HalfBandDesign& design, uint32_t channels, size_t ahead,
                           size_t block)
    : design_(design),
      kernel_(resampler_kernel()),
      channels_(channels),
      ahead_(ahead),
      side_(design_.taps.size()),
      even_((2 * side_ + block + 2) * channels + kConvolveSlack),
      odd_(even_.size()) {
  reset();
}

void HalvingStage::reset() noexcept {
  std::fill(even_.begin(), even_.end(), 0.0f);
  std::fill(odd_.begin(), odd_.end(), 0.0f);
  read_ = 0;
  fill_ = 0;
}

void HalvingStage::take(const float* in, size_t frames) noexcept {
  if ((fill_ + frames + 1) / 2 * channels_ + kConvolveSlack > even_.size()) {
    const size_t end = (fill_ + 1) / 2 * channels_;
    drop(&even_, read_ * channels_, end);
    drop(&odd_, read_ * channels_, end);
    fill_ -= 2 * read_;
    read_ = 0;
  }
  const size_t first = std::min(frames, fill_ % 2);
  const size_t pairs = (frames - first) / 2;
  put(in, first);
  float* even = even_.data() + fill_ / 2 * channels_;
  float* odd = odd_.data() + fill_ / 2 * channels_;
  if (in != nullptr) {
    split_frames(in + first * channels_, pairs, channels_, even, odd);
  } else {
    std::fill_n(even, pairs * channels_, 0.0f);
    std::fill_n(odd, pairs * channels_, 0.0f);
  }
  fill_ += 2 * pairs;
  const size_t done = first + 2 * pairs;
  put(in != nullptr ? in + done * channels_ : nullptr, frames - done);
}

// One frame or none.
void HalvingStage::put(const float* in, size_t frames) noexcept {
  if (frames == 0) return;
  float* to = (fill_ % 2 == 0 ? even_ : odd_).data() + fill_ / 2 * channels_;
  for (size_t c = 0; c < channels_; ++c) to[c] = in != nullptr ? filter_sample(in[c]) : 0.0f;
  ++fill_;
}

size_t HalvingStage::ready_frames() const noexcept {
  const size_t pairs = fill_ / 2 + 1;
  return pairs > read_ + 2 * side_ ? pairs - read_ - 2 * side_ : 0;
}

void HalvingStage::make(float* out, size_t frames) noexcept {
  const size_t at = read_ * channels_;
  kernel_.convolve({design_.taps.data(), side_, channels_, 0.5f}, &odd_[at],
                   &even_[at + side_ * channels_], out, frames * channels_);
  read_ += frames;
}

bool HalvingStage::silent() const noexcept {
  const size_t from = read_ * channels_;
  return all_zero(even_.data() + from, even_.data() + (fill_ + 1) / 2 * channels_) &&
         all_zero(odd_.data() + from, odd_.data() + fill_ / 2 * channels_);
}

DoublingStage::DoublingStage(const HalfBandDesign& design, uint32_t channels, size_t ahead,
                             size_t block)
    : design_(design),
      kernel_(resampler_kernel()),
      channels_(channels),
      ahead_(ahead),
      side_(design_.taps.size()),
      history_((2 * side_ + 2 * block) * channels + kConvolveSlack),
      between_(history_.size()) {
  reset();
}

void DoublingStage::reset() noexcept {
  std::fill(history_.begin(), history_.end(), 0.0f);
  next_ = ahead_ % 2;
  fill_ = 0;
}

void DoublingStage::take(const float* in, size_t frames) noexcept {
  if ((fill_ + frames) * channels_ + kConvolveSlack > history_.size()) {
    const size_t gone = next_ / 2;
    drop(&history_, gone * channels_, fill_ * channels_);
    fill_ -= gone;
    next_ -= 2 * gone;
  }
  float* to = history_.data() + fill_ * channels_;
  if (in != nullptr) {
    std::copy_n(in, frames * channels_, to);
  } else {
    std::fill_n(to, frames * channels_, 0.0f);
  }
  fill_ += frames;
}

size_t DoublingStage::ready_frames() const noexcept {
  const size_t pairs = fill_ + 1;
  return 2 * pairs > next_ + 4 * side_ ? 2 * pairs - next_ - 4 * side_ : 0;
}

void DoublingStage::make(float* out, size_t frames) noexcept {
  if (frames == 0) return;
  const size_t first = next_ / 2;
  const size_t count = (next_ + frames - 1) / 2 - first + 1;
  const float* at = history_.data() + (first + side_ - 1) * channels_;
  const float* half_off = between_.data();
  kernel_.convolve({design_.taps.data(), side_, channels_, 0}, history_.data() + first * channels_,
                   at, between_.data(), count * channels_);
  const auto put = [&](const float* frame) {
    std::copy_n(frame, channels_, out);
    out += channels_;
    ++next_;
  };
  const size_t end = next_ + frames;
  if (next_ % 2 == 1) {
    put(half_off);
    half_off += channels_;
    at += channels_;
  }
  const size_t pairs = (end - next_) / 2;
  merge_frames(at, half_off, pairs, channels_, out);
  out += 2 * pairs * channels_;
  next_ += 2 * pairs;
  if (next_ < end) put(at + pairs * channels_);
}

bool DoublingStage::silent() const noexcept {
  return all_zero(history_.data() + next_ / 2 * channels_, history_.data() + fill_ * channels_);
}

}  // namespace patchcord
