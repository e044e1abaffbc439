#include "resampler_cubic.h"

#include <algorithm>
#include <cstring>

#include "sane_sample.h"

namespace patchcord {
namespace {

size_t round_up(size_t value) {
  return (value + kResamplerLanes - 1) / kResamplerLanes * kResamplerLanes;
}

}  // namespace

CubicStage::CubicStage(ResamplerRatio ratio, const CubicDesign& design, uint32_t channels,
                       size_t ahead, size_t block)
    : ratio_(ratio),
      design_(design),
      kernel_(resampler_kernel()),
      channels_(channels),
      last_row_(static_cast<int64_t>(design_.rows) - 1),
      ahead_(ahead),
      zeros_(design_.lead + ratio.in_for(ahead)),
      // The part of the last frame's row that lies beyond the input so far is multiplied by zeros.
      capacity_(round_up(zeros_ + 2 * design_.width + 2 * block)),
      history_(capacity_ / kResamplerLanes * channels),
      scratch_(design_.width / kResamplerLanes),
      planes_(samples(&history_)) {
  set_step(ratio.out, ratio.in);
  reset();
}

void CubicStage::set_step(uint64_t phases, uint64_t step) noexcept {
  position_.phases = phases;
  position_.set_step(step);
  rows_per_phase_ = static_cast<double>(design_.rows) / static_cast<double>(phases);
}

void CubicStage::reset() noexcept {
  std::fill_n(planes_, capacity_ * channels_, 0.0f);
  const size_t back = ratio_.in_for(ahead_);
  position_.frame = zeros_ - design_.lead - back;
  position_.phase = back * ratio_.out - ahead_ * ratio_.in;
  fill_ = 0;
}

// Appends to the history, one plane a channel.
void CubicStage::take(const float* in, size_t frames) noexcept {
  if (fill_ + frames + design_.width > capacity_) forget();
  float* to = planes_ + fill_;
  fill_ += frames;
  if (in != nullptr && channels_ == 2) return split_stereo(in, frames, to, to + capacity_);
  for (size_t channel = 0; channel < channels_; ++channel, to += capacity_) {
    for (size_t i = 0; i < frames; ++i) {
      to[i] = in != nullptr ? filter_sample(in[i * channels_ + channel]) : 0.0f;
    }
  }
}

// Moves the frames that the filter still needs to the front of the planes, by whole lanes.
void CubicStage::forget() noexcept {
  const size_t gone = position_.frame / kResamplerLanes * kResamplerLanes;
  for (size_t channel = 0; channel < channels_; ++channel) {
    float* plane = planes_ + channel * capacity_;
    std::memmove(plane, plane + gone, (fill_ - gone) * sizeof(float));
  }
  fill_ -= gone;
  position_.frame -= gone;
}

size_t CubicStage::ready_frames() const noexcept {
  return fill_ < design_.taps ? 0 : position_.frames_before(fill_ - design_.taps + 1, SIZE_MAX);
}

// If the ratio hardly differs from 1, the next frames mostly lie between the same two rows, at the
// same distance. Such frames share their loads.
void CubicStage::make(float* out, size_t frames) noexcept {
  ResamplerPosition at = position_;  // a copy, so that it stays in registers
  const auto place = [this, &at](float* t) {
    const double row = static_cast<double>(static_cast<int64_t>(at.phase)) * rows_per_phase_;
    const int64_t whole = std::min(static_cast<int64_t>(row), last_row_);
    *t = static_cast<float>(row - static_cast<double>(whole));
    return whole;
  };
  float t[kBetweenFrames];
  int64_t row = place(&t[0]);
  while (frames > 0) {
    const size_t first = at.frame;
    const size_t most = std::min(frames, kBetweenFrames);
    at.step();
    const size_t frame_step = at.frame - first;
    size_t count = 1;
    float next_t;
    int64_t next_row = place(&next_t);
    for (; count < most && next_row == row; next_row = place(&next_t)) {
      t[count++] = next_t;
      at.step();
    }
    kernel_.filter_between(
        samples(design_.table) + static_cast<size_t>(row) * 4 * design_.width, t, design_.width,
        {planes_ + first, capacity_, channels_, count, frame_step, out}, samples(&scratch_));
    row = next_row;
    t[0] = next_t;
    frames -= count;
    out += count * channels_;
  }
  position_ = at;
}

bool CubicStage::silent() const noexcept {
  for (size_t channel = 0; channel < channels_; ++channel) {
    const float* plane = planes_ + channel * capacity_;
    for (size_t i = position_.frame; i < fill_; ++i) {
      if (plane[i] != 0) return false;
    }
  }
  return true;
}

}  // namespace patchcord
