#include "resampler_bank.h"

#include <algorithm>
#include <cstring>

namespace patchcord {
BankStage::BankStage(ResamplerRatio ratio, const BankDesign& design, uint32_t channels,
                     size_t ahead, size_t block)
    : ratio_(ratio),
      design_(design),
      kernel_(resampler_kernel()),
      channels_(channels),
      ahead_(ahead),
      // The group that contains the first frame may begin before it.
      zeros_(design_.lead + design_.reach + ratio.in_for(ahead)),
      capacity_(zeros_ + 2 * design_.width + 2 * block),
      history_(capacity_ * channels) {
  position_.phases = ratio.out;
  position_.set_step(ratio.in);
  reset();
}

void BankStage::reset() noexcept {
  std::fill(history_.begin(), history_.end(), 0.0f);
  const size_t back = ratio_.in_for(ahead_);
  position_.frame = zeros_ - design_.lead - back;
  position_.phase = back * ratio_.out - ahead_ * ratio_.in;
  row_ = (design_.rows - ahead_ % design_.rows) % design_.rows;
  fill_ = 0;
}

void BankStage::take(const float* in, size_t frames) noexcept {
  // The last group may read beyond the input so far. Its coefficients there are 0, or its sums are
  // not used.
  if (fill_ + frames + design_.reach + 1 > capacity_) forget();
  float* to = history_.data() + fill_ * channels_;
  fill_ += frames;
  if (in != nullptr) {
    copy_samples(in, frames * channels_, to);
  } else {
    std::fill_n(to, frames * channels_, 0.0f);
  }
}

// Moves the frames that the filter still needs to the front.
void BankStage::forget() noexcept {
  const size_t gone = position_.frame - (design_.frame_of(row_) - design_.group_frame_of(row_));
  std::memmove(history_.data(), history_.data() + gone * channels_,
               (fill_ - gone) * channels_ * sizeof(float));
  fill_ -= gone;
  position_.frame -= gone;
}

size_t BankStage::ready_frames() const noexcept {
  return fill_ < design_.taps ? 0 : position_.frames_before(fill_ - design_.taps + 1, SIZE_MAX);
}

void BankStage::make(float* out, size_t frames) noexcept {
  if (frames == 0) return;
  // Begins with the group of the next frame. Each group does all turns at once, so that its
  // coefficients are loaded from the second-level cache only once.
  const size_t groups =
      std::min(design_.groups, (row_ % kResamplerLanes + frames) / kResamplerLanes + 2);
  const size_t first = row_ / kResamplerLanes;
  for (size_t n = 0; n < groups; ++n) {
    const size_t group = first + n < design_.groups ? first + n : first + n - design_.groups;
    make_group(group, out, frames);
  }
  position_.advance(frames);
  row_ = (row_ + frames) % design_.rows;
}

// The output of a group within the next `frames` output frames: part of a turn at either end, and
// whole turns between.
void BankStage::make_group(size_t group, float* out, size_t frames) noexcept {
  const size_t row = group * kResamplerLanes;
  const size_t lanes = std::min(kResamplerLanes, design_.rows - row);
  BankJob job{design_.group(group),
              design_.width,
              nullptr,
              channels_,
              1,
              design_.period_in * channels_,
              nullptr,
              design_.rows * channels_,
              0,
              lanes};
  // Turn 0 contains row_. Groups before row_ begin with the next turn.
  size_t turn = row + lanes <= row_ ? 1 : 0;
  const auto run = [&](size_t turns, size_t from, size_t to) {
    const size_t frame =
        position_.frame + design_.frame_of(row) + turn * design_.period_in - design_.frame_of(row_);
    job.in = history_.data() + frame * channels_;
    job.out = out + (turn * design_.rows + row + from - row_) * channels_;
    job.turns = turns;
    job.first = from;
    job.count = to - from;
    kernel_.filter_bank(job);
    turn += turns;
  };
  const size_t end = row_ + frames;  // in rows, from row 0 of the first turn
  const auto begins = [&] { return turn * design_.rows + row; };
  if (begins() < row_) run(1, row_ - begins(), std::min(lanes, end - begins()));
  if (begins() + lanes <= end) run((end - begins() - lanes) / design_.rows + 1, 0, lanes);
  if (begins() < end) run(1, 0, end - begins());
}

bool BankStage::silent() const noexcept {
  return std::all_of(history_.begin() + static_cast<long>(position_.frame * channels_),
                     history_.begin() + static_cast<long>(fill_ * channels_),
                     [](float sample) { return sample == 0; });
}

}  // namespace patchcord
