#include "resampler_half_band.h"

#include <algorithm>
#include <cstring>

#include "resampler_kernel.h"
#include "sane_sample.h"

namespace patchcord {
namespace {

bool all_zero(const float* from, const float* to) {
  return std::all_of(from, to, [](float sample) { return sample == 0; });
}

void drop(std::vector<float>* samples, size_t gone, size_t end) {
  std::memmove(samples->data(), samples->data() + gone, (end - gone) * sizeof(float));
}

// The frames before the first one that it filters.
void begin(BankStage* others) {
  others->reset();
  others->take(nullptr, others->zeros_in());
}

}  // namespace

HalvingStage::HalvingStage(const HalfBandDesign& design, uint32_t channels, size_t ahead,
                           size_t block)
    : channels_(channels),
      ahead_(ahead),
      side_(design.side),
      even_((2 * side_ + 2 * (block / 2 + 1)) * channels),
      odd_((block / 2 + 1) * channels),
      others_({1, 1}, design.others, channels, 0, std::max(block / 2 + 1, design.others.width)) {
  reset();
}

void HalvingStage::reset() noexcept {
  begin(&others_);
  read_ = 0;
  fill_ = 0;
  odd_next_ = false;
}

void HalvingStage::take(const float* in, size_t frames) noexcept {
  if ((fill_ + frames / 2 + 1) * channels_ > even_.size()) {
    drop(&even_, read_ * channels_, fill_ * channels_);
    fill_ -= read_;
    read_ = 0;
  }
  float* even = even_.data() + fill_ * channels_;
  float* odd = odd_.data();
  const auto put = [&](float** to) {
    for (size_t c = 0; c < channels_; ++c) *(*to)++ = in != nullptr ? filter_sample(*in++) : 0.0f;
    odd_next_ = !odd_next_;
    --frames;
  };
  if (odd_next_ && frames > 0) put(&odd);
  const size_t pairs = frames / 2;
  if (in != nullptr) {
    split_frames(in, pairs, channels_, even, odd);
    in += 2 * pairs * channels_;
  } else {
    std::fill_n(even, pairs * channels_, 0.0f);
    std::fill_n(odd, pairs * channels_, 0.0f);
  }
  even += pairs * channels_;
  odd += pairs * channels_;
  frames -= 2 * pairs;
  if (frames > 0) put(&even);
  fill_ = static_cast<size_t>(even - even_.data()) / channels_;
  others_.take(odd_.data(), static_cast<size_t>(odd - odd_.data()) / channels_);
}

size_t HalvingStage::ready_frames() const noexcept { return others_.ready_frames(); }

void HalvingStage::make(float* out, size_t frames) noexcept {
  others_.make(out, frames);
  add_halves(even_.data() + (read_ + side_) * channels_, frames * channels_, out);
  read_ += frames;
}

bool HalvingStage::silent() const noexcept {
  return others_.silent() &&
         all_zero(even_.data() + read_ * channels_, even_.data() + fill_ * channels_);
}

DoublingStage::DoublingStage(const HalfBandDesign& design, uint32_t channels, size_t ahead,
                             size_t block)
    : channels_(channels),
      ahead_(ahead),
      side_(design.side),
      history_((2 * side_ + 2 * block) * channels),
      others_({1, 1}, design.others, channels, 0, std::max(block, design.others.width)),
      between_(history_.size()) {
  reset();
}

void DoublingStage::reset() noexcept {
  begin(&others_);
  next_ = ahead_ % 2;
  fill_ = 0;
}

void DoublingStage::take(const float* in, size_t frames) noexcept {
  if ((fill_ + frames) * channels_ > history_.size()) {
    const size_t gone = next_ / 2;
    drop(&history_, gone * channels_, fill_ * channels_);
    fill_ -= gone;
    next_ -= 2 * gone;
  }
  float* to = history_.data() + fill_ * channels_;
  if (in != nullptr) {
    copy_samples(in, frames * channels_, to);
  } else {
    std::fill_n(to, frames * channels_, 0.0f);
  }
  others_.take(in, frames);
  fill_ += frames;
}

size_t DoublingStage::ready_frames() const noexcept {
  const size_t pairs = fill_ + 1;
  return 2 * pairs > next_ + 4 * side_ ? 2 * pairs - next_ - 4 * side_ : 0;
}

void DoublingStage::make(float* out, size_t frames) noexcept {
  if (frames == 0) return;
  const size_t end = next_ + frames;
  others_.make(between_.data(), end / 2 - next_ / 2);
  const float* at = history_.data() + (next_ / 2 + side_ - 1) * channels_;
  const float* half_off = between_.data();
  const auto put = [&](const float* frame) {
    std::copy_n(frame, channels_, out);
    out += channels_;
    ++next_;
  };
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
  return others_.silent() &&
         all_zero(history_.data() + next_ / 2 * channels_, history_.data() + fill_ * channels_);
}

}  // namespace patchcord
