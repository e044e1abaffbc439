#include "frame_queue.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace patchcord {
namespace {

size_t power_of_two(size_t at_least) {
  size_t size = 64;
  while (size < at_least) size *= 2;
  return size;
}

// Packets shorter than 2.5 ms share a record, so that there are enough for all the frames, and some
// for silence between them.
constexpr uint32_t kRecordsPerSecond = 400;
constexpr double kSameTime = 0.1e6;  // ns; a stream whose times step by more has a new record

size_t record_capacity(size_t frames, uint64_t packet_frames) {
  return power_of_two(static_cast<size_t>(frames / packet_frames) + 32);
}

}  // namespace

FrameQueue::FrameQueue(uint32_t channels, uint32_t sample_rate, size_t capacity_frames)
    : channels_(channels),
      sample_rate_(sample_rate),
      frames_(power_of_two(capacity_frames) * channels),
      frame_mask_(frames_.size() / channels - 1),
      records_(record_capacity(capacity_frames, sample_rate / kRecordsPerSecond)),
      record_mask_(records_.size() - 1),
      packet_frames_(sample_rate / kRecordsPerSecond) {}

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

// Whether the newest record can tell of these frames as well. When half of the records are in use
// it may be of any length: times are less exact then, and nothing is lost.
bool FrameQueue::goes_on(const Record& record) const noexcept {
  const uint64_t head = head_.load(std::memory_order_relaxed);
  if (head == 0 || record.flags != newest_.flags || record.pauses != newest_.pauses) return false;
  const uint64_t length = end_frame_.load(std::memory_order_relaxed) - newest_.frame;
  const double expected = newest_.time + static_cast<double>(length) * 1e9 / newest_.rate;
  if (std::fabs(record.time - expected) > kSameTime) return false;
  return length < packet_frames_ ||
         head - tail_.load(std::memory_order_acquire) > records_.size() / 2;
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
  if (!goes_on(record)) {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    records_[head & record_mask_] = newest_ = record;
    head_.store(head + 1, std::memory_order_release);
  }
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
  const size_t records = pending ? 2 : goes_on(record) ? 0 : 1;
  if (!room_for(samples != nullptr ? record.frames : 0, records)) {
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

FrameQueue::Rest FrameQueue::current() noexcept {
  // ended_ is set after the last record, end_frame_ after each: what they promise is seen below.
  const bool over = ended();
  const uint64_t end = end_frame_.load(std::memory_order_acquire);
  const uint64_t head = head_.load(std::memory_order_acquire);
  for (uint64_t tail = tail_.load(std::memory_order_relaxed); tail != head;) {
    const Record& record = records_[tail & record_mask_];
    const bool newest = tail + 1 == head;
    const uint64_t stop = newest ? end : records_[(tail + 1) & record_mask_].frame;
    next_ = std::max(next_, record.frame);
    if (next_ < stop) return {&record, stop - next_};
    if (newest) break;
    tail_.store(++tail, std::memory_order_release);
  }
  if (!over || trailing_.frames == 0) return {};
  next_ = std::max(next_, trailing_.frame);
  const uint64_t left = trailing_.frame + trailing_.frames - next_;
  return left > 0 ? Rest{&trailing_, left} : Rest{};
}

FrameQueue::Span FrameQueue::front(size_t max_frames) noexcept {
  Span span;
  const auto [record, frames] = current();
  if (record == nullptr) return span;
  span.frame = next_;
  span.time = record->time + static_cast<double>(next_ - record->frame) * 1e9 / record->rate;
  span.flags = record->flags;
  span.frames = static_cast<size_t>(std::min<uint64_t>(max_frames, frames));
  if (record->flags == 0) {
    const size_t at = frame_tail_.load(std::memory_order_relaxed) & frame_mask_;
    span.frames = std::min(span.frames, frame_mask_ + 1 - at);
    span.samples = &frames_[at * channels_];
  }
  return span;
}

void FrameQueue::advance(size_t frames) noexcept {
  if (frames == 0) return;
  const Record* const record = current().record;
  if (record == nullptr) return;
  next_ += frames;
  if (record->flags == 0) {
    frame_tail_.store(frame_tail_.load(std::memory_order_relaxed) + frames,
                      std::memory_order_release);
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
  return end_frame_.load(std::memory_order_seq_cst) >= next + frames && available() >= frames;
}

const Record* FrameQueue::latest() noexcept {
  const uint64_t head = head_.load(std::memory_order_acquire);
  if (head == 0) return nullptr;
  // The producer keeps its slot until there is a newer one and the consumer has come to that.
  latest_ = records_[(head - 1) & record_mask_];
  return &latest_;
}

uint64_t FrameQueue::next_frame() noexcept {
  current();
  return next_;
}

uint64_t FrameQueue::available() noexcept {
  const bool over = ended();
  if (current().record == nullptr) return 0;
  const uint64_t end = over && trailing_.frames != 0 ? trailing_.frame + trailing_.frames
                                                     : end_frame_.load(std::memory_order_acquire);
  return end - std::min(end, next_);
}

}  // namespace patchcord
