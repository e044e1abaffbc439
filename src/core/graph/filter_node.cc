#include "filter_node.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace patchcord {

FilterNode::FilterNode(std::unique_ptr<Filter> filter, uint64_t progress_frames,
                       std::shared_ptr<NodeEvents> events)
    : filter_(std::move(filter)),
      progress_frames_(progress_frames),
      events_(std::move(events)),
      in_per_out_(static_cast<double>(filter_->in().rate) / filter_->out().rate),
      fade_(filter_->in().channels, filter_->in().rate),
      in_(kFilterBlock * filter_->in().channels),
      out_(filter_->most_out(kFilterBlock) * filter_->out().channels),
      meter_(filter_->out().channels, filter_->out().rate) {
  held_.set(filter_->held_frames());
}

void FilterNode::push(const float* samples, const Record& record) noexcept {
  time_ = record.time;
  rate_ = record.rate;
  timed_ = taken_;
  pauses_ = record.pauses;
  // a frame of another stream, or a later one of the same
  if (record.frame != expected_ && taken() > 0) {
    fade_.fall();
    fade_.rise();
  }
  expected_ = record.frame + record.frames;
  if (samples != nullptr) {
    pass(samples, record.frames, record.flags);
  } else {
    pass_silence(record.frames, record.flags);
  }
}

void FilterNode::end() noexcept {
  if (ends_) finish();
  events_->push({NodeEventType::kInputEnded, position_, 0});
}

void FilterNode::finish() noexcept {
  if (ended_) return;
  ended_ = true;
  flush();
  deliver_end();
}

void FilterNode::pass(const float* samples, uint64_t frames, uint32_t flags) noexcept {
  const uint32_t channels = filter_->in().channels;
  while (frames > 0) {
    const size_t block = static_cast<size_t>(std::min<uint64_t>(frames, kFilterBlock));
    const size_t made = filter_->process(faded(samples, block), block, out_.data());
    taken_.add(block);
    frames -= block;
    if (samples != nullptr) samples += block * channels;
    emit(out_.data(), made, flags);
  }
  held_.set(filter_->held_frames());
}

// Takes at most kFilterBlock frames. Without a fade it returns `samples` itself.
const float* FilterNode::faded(const float* samples, size_t frames) noexcept {
  if (samples == nullptr && !fade_.falling()) return samples;
  if (samples != nullptr && fade_.passes()) {
    fade_.follow(samples, frames);
    return samples;
  }
  if (samples != nullptr) {
    std::copy_n(samples, frames * filter_->in().channels, in_.begin());
    fade_.sound(in_.data(), frames);
  } else {
    fade_.silence(in_.data(), frames);
  }
  return in_.data();
}

// Processes zeros like sound until the filter contains none. The rest is only a length, however
// long.
void FilterNode::pass_silence(uint64_t frames, uint32_t flags) noexcept {
  const uint64_t falling = std::min<uint64_t>(frames, fade_.fall_left());
  pass(nullptr, falling, 0);
  frames -= falling;
  while (frames > 0) {
    const Filter::Skip skipped = filter_->skip_silence(frames);
    taken_.add(skipped.in_frames);
    emit(nullptr, skipped.out_frames, flags);
    frames -= skipped.in_frames;
    const uint64_t block = std::min<uint64_t>(frames, kFilterBlock);
    pass(nullptr, block, 0);
    frames -= block;
  }
}

// Makes the output exactly as long as the input, at the new rate.
void FilterNode::flush() noexcept {
  const uint64_t length =
      static_cast<uint64_t>(std::llround(static_cast<double>(taken()) / in_per_out_));
  uint64_t held = filter_->held_frames() + kFilterBlock;
  while (position() < length && held > 0) {
    const size_t block = static_cast<size_t>(std::min<uint64_t>(held, kFilterBlock));
    const uint64_t made = filter_->process(nullptr, block, out_.data());
    held -= block;
    emit(out_.data(), std::min(made, length - position()), 0);
  }
}

void FilterNode::emit(const float* samples, uint64_t frames, uint32_t flags) noexcept {
  if (frames == 0) return;
  Record record;
  record.frame = position_;
  record.frames = frames;
  const double at = static_cast<double>(record.frame) * in_per_out_;
  record.time = time_ + (at - static_cast<double>(timed_)) * 1e9 / rate_;
  record.rate = rate_ / in_per_out_;
  record.flags = flags;
  record.pauses = pauses_;
  if (samples != nullptr) {
    meter_.process(samples, static_cast<size_t>(frames));
  } else {
    meter_.silence(static_cast<size_t>(frames));
  }
  anchor_.store({static_cast<double>(record.frame), record.time, record.rate});
  position_.add(frames);
  deliver(samples, record);
  if (progress_frames_ == 0 || position() - progress_ < progress_frames_) return;
  progress_ = position_;
  events_->push({NodeEventType::kProgress, position_, 0});
}

}  // namespace patchcord
