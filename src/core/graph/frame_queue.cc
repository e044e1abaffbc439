#include "frame_queue.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "silence.h"

namespace patchcord {
namespace {

size_t power_of_two(size_t at_least) {
  size_t size = 64;
  while (size < at_least) size *= 2;
  return size;
}

// Packets shorter than 2.5 ms share a record. So there are enough records for all frames, and some
// for silence between them.
constexpr uint32_t kRecordsPerSecond = 400;
constexpr double kSameTime = 0.1e6;  // ns; a stream whose times step by more has a new record
// Kept free, so that the fade to zero before lost frames always has room.
constexpr size_t kRecordsKept = 2;

size_t record_capacity(size_t frames, uint64_t packet_frames) {
  return power_of_two(static_cast<size_t>(frames / packet_frames) + 32);
}

size_t fade_frames(uint32_t sample_rate) {
  return static_cast<size_t>(Fade::kSeconds * sample_rate);
}

}  // namespace

FrameQueue::FrameQueue(uint32_t channels, uint32_t sample_rate, size_t capacity_frames)
    : channels_(channels),
      sample_rate_(sample_rate),
      frames_(power_of_two(capacity_frames + fade_frames(sample_rate)) * channels),
      frame_mask_(frames_.size() / channels - 1),
      records_(record_capacity(capacity_frames, sample_rate / kRecordsPerSecond)),
      record_mask_(records_.size() - 1),
      packet_frames_(sample_rate / kRecordsPerSecond),
      fade_(channels, sample_rate),
      faded_(fade_frames(sample_rate) * channels) {}

uint64_t FrameQueue::room_left() const noexcept {
  const uint64_t used = frame_head_ - frame_tail_.load(std::memory_order_acquire);
  const uint64_t most = frame_mask_ + 1 - faded_.size() / channels_;
  return most - std::min(most, used);
}

bool FrameQueue::room_for(uint64_t stored_frames, size_t records) const noexcept {
  const uint64_t used =
      head_.load(std::memory_order_relaxed) - tail_.load(std::memory_order_acquire);
  return used + records + kRecordsKept <= records_.size() && stored_frames <= room_left();
}

size_t FrameQueue::room() const noexcept {
  return room_for(0, losing_ ? 3 : 1) ? static_cast<size_t>(room_left()) : 0;
}

// Whether the newest record can include these frames. When half of the records are in use, it may
// grow to any length: times are less exact then, and nothing is lost.
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
  // Stored after the record, so that no consumer counts on frames that it cannot see yet.
  // Sequentially consistent with awaited_: either the consumer sees these frames, or take_awaited()
  // sees that it waits.
  end_frame_.store(record.frame + record.frames, std::memory_order_seq_cst);
}

bool FrameQueue::take_awaited() noexcept {
  const uint64_t awaited = awaited_.load(std::memory_order_seq_cst);
  if (awaited == kNothing || end_frame_.load(std::memory_order_relaxed) < awaited) return false;
  // If the consumer has begun to wait for more meanwhile, it is woken now and waits again.
  awaited_.store(kNothing, std::memory_order_seq_cst);
  return true;
}

void FrameQueue::push(const float* samples, const Record& record) noexcept {
  if (record.frames == 0) return;
  const size_t records = losing_ ? 3 : !fade_.passes() ? 2 : goes_on(record) ? 0 : 1;
  if (!room_for(samples != nullptr ? record.frames : 0, records)) return lose(record);
  if (std::exchange(losing_, false)) {
    if (pending_.frames > 0) publish(nullptr, pending_);
    fade_.rise();
  }
  publish_faded(samples, record);
}

// Loses the newest frames; stores only the part that fades out the sound before it.
void FrameQueue::lose(const Record& record) noexcept {
  lost_.fetch_add(record.frames, std::memory_order_relaxed);
  if (std::exchange(losing_, true)) {
    pending_.frames += record.frames;
    return;
  }
  pending_ = record;
  pending_.flags = kRecordLost;
  pending_.frames = 0;
  fade_.fall();
  Record lost = record;
  lost.flags = kRecordLost;
  give_silence(fade_, faded_, channels_, lost, [this](const float* samples, const Record& part) {
    if (samples == nullptr) {
      pending_.frames = part.frames;
    } else {
      publish(samples, part);
      pending_.frame += part.frames;
      pending_.time += static_cast<double>(part.frames) * 1e9 / part.rate;
    }
  });
}

void FrameQueue::publish_faded(const float* samples, Record record) noexcept {
  while (samples != nullptr && !fade_.passes() && record.frames > 0) {
    Record part = record;
    part.frames = std::min<uint64_t>(record.frames, faded_.size() / channels_);
    std::copy_n(samples, part.frames * channels_, faded_.data());
    fade_.sound(faded_.data(), static_cast<size_t>(part.frames));
    publish(faded_.data(), part);
    samples += part.frames * channels_;
    record.frame += part.frames;
    record.frames -= part.frames;
    record.time += static_cast<double>(part.frames) * 1e9 / record.rate;
  }
  if (record.frames == 0) return;
  if (samples != nullptr) fade_.follow(samples, static_cast<size_t>(record.frames));
  publish(samples, record);
}

void FrameQueue::end() noexcept {
  if (losing_ && pending_.frames > 0 && room_for(0, 1)) {
    publish(nullptr, pending_);
    pending_.frames = 0;
  }
  if (losing_) trailing_ = pending_;
  ended_.store(true, std::memory_order_release);
}

FrameQueue::Rest FrameQueue::current() noexcept {
  // ended_ is set after the last record and end_frame_ after each, so the loads below see that
  // record.
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
  span.flags = record->flags & ~static_cast<uint32_t>(kRecordFade);
  span.frames = static_cast<size_t>(std::min<uint64_t>(max_frames, frames));
  if (record->has_samples()) {
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
  if (record->has_samples()) {
    frame_tail_.store(frame_tail_.load(std::memory_order_relaxed) + frames,
                      std::memory_order_release);
  }
}

FrameQueue::Sound FrameQueue::skip_to(uint64_t frame) noexcept {
  Sound sound;
  while (next_frame() < frame) {
    const Span span = front(static_cast<size_t>(std::min<uint64_t>(frame - next_, SIZE_MAX)));
    if (span.frames == 0) break;
    const bool sounds = span.flags == 0 || span.flags == kRecordLost;
    if (sounds && sound.frames == 0) sound.frame = span.frame;
    if (sounds) sound.frames += span.frames;
    if (span.flags == kRecordLost) sound.lost += span.frames;
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
  // Before the first record the number of the next frame is unknown: any frame will do.
  const uint64_t next = next_frame();
  awaited_.store(head_.load(std::memory_order_acquire) == 0 ? 0 : next + frames,
                 std::memory_order_seq_cst);
  return end_frame_.load(std::memory_order_seq_cst) >= next + frames && available() >= frames;
}

const Record* FrameQueue::latest() noexcept {
  const uint64_t head = head_.load(std::memory_order_acquire);
  if (head == 0) return nullptr;
  // The producer keeps the slot of the newest record until there is a newer one and the consumer
  // has reached that.
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
