#include "frame_queue.h"

#include <algorithm>
#include <cstring>

namespace patchcord {
namespace {

size_t power_of_two(size_t at_least) {
  size_t size = 64;
  while (size < at_least) size *= 2;
  return size;
}

// Enough records for packets of 2.5 ms, and some for silence between them.
size_t record_capacity(size_t frames, uint32_t rate) {
  return power_of_two(frames / std::max<size_t>(1, rate / 400) + 32);
}

}  // namespace

FrameQueue::FrameQueue(uint32_t channels, uint32_t sample_rate, size_t capacity_frames)
    : channels_(channels),
      sample_rate_(sample_rate),
      frames_(power_of_two(capacity_frames) * channels),
      frame_mask_(frames_.size() / channels - 1),
      records_(record_capacity(capacity_frames, sample_rate)),
      record_mask_(records_.size() - 1) {}

bool FrameQueue::room_for(uint64_t stored_frames, size_t records) const noexcept {
  const uint64_t record_room = records_.size() - (head_.load(std::memory_order_relaxed) -
                                                  tail_.load(std::memory_order_acquire));
  const uint64_t frame_room =
      frame_mask_ + 1 - (frame_head_ - frame_tail_.load(std::memory_order_acquire));
  return records <= record_room && stored_frames <= frame_room;
}

size_t FrameQueue::room() const noexcept {
  const bool record = room_for(0, pending_.frames != 0 ? 2 : 1);
  const uint64_t used = frame_head_ - frame_tail_.load(std::memory_order_acquire);
  return record ? static_cast<size_t>(frame_mask_ + 1 - used) : 0;
}

void FrameQueue::publish(const float* samples, const Record& record) noexcept {
  if (samples != nullptr) {
    const size_t at = frame_head_ & frame_mask_;
    const size_t first = std::min<size_t>(record.frames, frame_mask_ + 1 - at);
    std::memcpy(&frames_[at * channels_], samples, first * channels_ * sizeof(float));
    std::memcpy(frames_.data(), samples + first * channels_,
                (record.frames - first) * channels_ * sizeof(float));
    frame_head_ += record.frames;
  }
  const uint64_t head = head_.load(std::memory_order_relaxed);
  records_[head & record_mask_] = record;
  head_.store(head + 1, std::memory_order_release);
  // After the record, so that no consumer counts on frames that it cannot see yet. In one order
  // with awaited_: either the consumer sees these frames, or take_awaited() sees that it waits.
  end_frame_.store(record.frame + record.frames, std::memory_order_seq_cst);
}

bool FrameQueue::take_awaited() noexcept {
  const uint64_t awaited = awaited_.load(std::memory_order_seq_cst);
  if (awaited == kNothing || end_frame_.load(std::memory_order_relaxed) < awaited) return false;
  // Should the consumer have begun to wait for more meanwhile, it is woken now and will ask again.
  awaited_.store(kNothing, std::memory_order_seq_cst);
  return true;
}

void FrameQueue::push(const float* samples, const Record& record) noexcept {
  if (record.frames == 0) return;
  const bool pending = pending_.frames != 0;
  if (!room_for(samples != nullptr ? record.frames : 0, pending ? 2 : 1)) {
    if (!pending) {
      pending_ = record;
      pending_.frames = 0;
      pending_.flags = kRecordLost;
    }
    pending_.frames += record.frames;
    lost_.fetch_add(record.frames, std::memory_order_relaxed);
    return;
  }
  if (pending) {
    publish(nullptr, pending_);
    pending_.frames = 0;
  }
  publish(samples, record);
}

void FrameQueue::end() noexcept {
  if (pending_.frames != 0 && room_for(0, 1)) {
    publish(nullptr, pending_);
    pending_.frames = 0;
  }
  trailing_ = pending_;
  ended_.store(true, std::memory_order_release);
}

const Record* FrameQueue::current() noexcept {
  const uint64_t tail = tail_.load(std::memory_order_relaxed);
  if (tail != head_.load(std::memory_order_acquire)) return &records_[tail & record_mask_];
  // ended_ is set after the last record: look at it first, then at the ring once more.
  if (ended() && tail == head_.load(std::memory_order_acquire) && trailing_.frames > offset_) {
    return &trailing_;
  }
  return nullptr;
}

FrameQueue::Span FrameQueue::front(size_t max_frames) noexcept {
  Span span;
  const Record* record = current();
  if (record == nullptr) return span;
  span.frame = record->frame + offset_;
  span.time = record->time + static_cast<double>(offset_) * 1e9 / record->rate;
  span.flags = record->flags;
  span.frames = static_cast<size_t>(std::min<uint64_t>(max_frames, record->frames - offset_));
  if (record->flags == 0) {
    const size_t at = frame_tail_.load(std::memory_order_relaxed) & frame_mask_;
    span.frames = std::min(span.frames, frame_mask_ + 1 - at);
    span.samples = &frames_[at * channels_];
  }
  return span;
}

void FrameQueue::advance(size_t frames) noexcept {
  if (frames == 0) return;
  const Record* record = current();
  if (record == nullptr) return;
  offset_ += frames;
  next_ = record->frame + offset_;
  if (record->flags == 0) {
    frame_tail_.store(frame_tail_.load(std::memory_order_relaxed) + frames,
                      std::memory_order_release);
  }
  if (record != &trailing_ && offset_ == record->frames) {
    offset_ = 0;
    tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
}

FrameQueue::Sound FrameQueue::skip_to(uint64_t frame) noexcept {
  Sound sound;
  while (next_frame() < frame) {
    const Span span = front(static_cast<size_t>(std::min<uint64_t>(frame - next_, SIZE_MAX)));
    if (span.frames == 0) break;
    if (span.flags == 0 && sound.frames == 0) sound.frame = span.frame;
    if (span.flags == 0) sound.frames += span.frames;
    advance(span.frames);
  }
  return sound;
}

size_t FrameQueue::read(float* destination, size_t frames) noexcept {
  size_t done = 0;
  while (done < frames) {
    const Span span = front(frames - done);
    if (span.frames == 0) break;
    float* to = destination + done * channels_;
    if (span.samples != nullptr) {
      std::memcpy(to, span.samples, span.frames * channels_ * sizeof(float));
    } else {
      std::fill_n(to, span.frames * channels_, 0.0f);
    }
    advance(span.frames);
    done += span.frames;
  }
  return done;
}

bool FrameQueue::await(size_t frames) noexcept {
  const uint64_t ready = available();
  if (ready >= frames) return true;
  // Before the first record nobody knows which frame that will be: any will do.
  const uint64_t next = next_frame();
  awaited_.store(head_.load(std::memory_order_acquire) == 0 ? 0 : next + frames,
                 std::memory_order_seq_cst);
  return end_frame_.load(std::memory_order_seq_cst) - next >= frames && available() >= frames;
}

const Record* FrameQueue::latest() noexcept {
  const uint64_t head = head_.load(std::memory_order_acquire);
  const uint64_t tail = tail_.load(std::memory_order_relaxed);
  // Copied before its slot can be reused: slots up to the tail belong to the consumer.
  if (head != tail) latest_ = records_[(head - 1) & record_mask_];
  return latest_.frames != 0 ? &latest_ : nullptr;
}

uint64_t FrameQueue::next_frame() noexcept {
  const Record* record = current();
  if (record != nullptr) next_ = record->frame + offset_;
  return next_;
}

uint64_t FrameQueue::available() noexcept {
  const Record* record = current();
  if (record == nullptr) return 0;
  const uint64_t next = record->frame + offset_;
  if (record == &trailing_) return trailing_.frames - offset_;
  const bool ended_now = ended();
  const uint64_t end = end_frame_.load(std::memory_order_acquire);
  return end - next + (ended_now ? trailing_.frames : 0);
}

}  // namespace patchcord
