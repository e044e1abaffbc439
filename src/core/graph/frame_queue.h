// One consumer's position in a stream: a lock-free ring of frames from one producer thread to one
// consumer thread, and a ring of records that say which frames these are and when they were
// recorded. Silence and losses are records without frames, so an hour of them costs nothing. A
// record extends to the next one, so that short packets can share one and records do not run out
// before frames do.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../signal/fade.h"
#include "receiver.h"

namespace patchcord {

class FrameQueue final : public Receiver {
 public:
  FrameQueue(uint32_t channels, uint32_t sample_rate, size_t capacity_frames);

  uint32_t channels() const { return channels_; }
  uint32_t sample_rate() const { return sample_rate_; }

  // Producer thread. If the queue is full, the newest audio is dropped and counted, and becomes a
  // record of lost frames.
  void push(const float* samples, const Record& record) noexcept override;
  void end() noexcept override;
  void hold(bool held) noexcept override { held_.store(held, std::memory_order_relaxed); }
  void rest(bool rests) noexcept override { rests_.store(rests, std::memory_order_release); }
  size_t room() const noexcept override;
  // returns true once when the frames that await() asked for are there
  bool take_awaited() noexcept override;
  bool live() const noexcept override { return live_.load(std::memory_order_relaxed); }

  // Consumer thread.
  struct Span {
    const float* samples = nullptr;  // null: zeros
    size_t frames = 0;
    uint64_t frame = 0;
    double time = 0;
    uint32_t flags = 0;
  };
  Span front(size_t max_frames) noexcept;  // contiguous; 0 frames if empty
  void advance(size_t frames) noexcept;    // at most the frames that front() returned
  void set_live(bool live) noexcept { live_.store(live, std::memory_order_relaxed); }
  // Within the frames that are there: how many are not silence, the first of them, and how many of
  // them this queue had lost.
  struct Sound {
    uint64_t frame = 0, frames = 0, lost = 0;
  };
  Sound skip_to(uint64_t frame) noexcept;
  // Copies up to `frames` frames, zeros for silence; returns how many.
  size_t read(float* destination, size_t frames) noexcept;
  const Record* latest() noexcept;  // newest record published, null before the first
  // Returns whether `frames` frames can be read. If not, take_awaited() will wake the consumer
  // once, when they can: a consumer that reads whole blocks is not woken for parts.
  bool await(size_t frames) noexcept;

  // Consumer thread; the values change at any moment.
  bool started() const noexcept { return head_.load(std::memory_order_acquire) != 0 || ended(); }
  uint64_t next_frame() noexcept;  // number of the next frame to read; 0 before the first record
  uint64_t available() noexcept;   // frames that can be read
  bool ended() const noexcept { return ended_.load(std::memory_order_acquire); }
  bool drained() noexcept { return ended() && available() == 0; }

  // Any thread.
  bool held() const noexcept { return held_.load(std::memory_order_relaxed); }
  bool rests() const noexcept { return rests_.load(std::memory_order_acquire); }
  uint64_t lost_frames() const noexcept { return lost_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint64_t kNothing = UINT64_MAX;

  // The frames of a record at next_. record == nullptr: there are none.
  struct Rest {
    const Record* record = nullptr;
    uint64_t frames = 0;
  };

  uint64_t room_left() const noexcept;
  bool room_for(uint64_t stored_frames, size_t records) const noexcept;
  void lose(const Record& record) noexcept;
  void publish_faded(const float* samples, Record record) noexcept;
  bool goes_on(const Record& record) const noexcept;
  void publish(const float* samples, const Record& record) noexcept;
  Rest current() noexcept;

  const uint32_t channels_;
  const uint32_t sample_rate_;
  std::vector<float> frames_;
  const size_t frame_mask_;
  std::vector<Record> records_;
  const size_t record_mask_;
  const uint64_t packet_frames_;  // shorter packets share a record of about this length

  // Producer's side.
  alignas(64) std::atomic<uint64_t> head_{0};  // records published
  std::atomic<uint64_t> end_frame_{0};         // frame number after the last published record
  std::atomic<uint64_t> lost_{0};
  std::atomic<bool> ended_{false};
  std::atomic<bool> held_{false}, rests_{false};
  uint64_t frame_head_ = 0;  // frames stored
  Record newest_;            // the newest record published
  bool losing_ = false;
  Record pending_;  // lost frames not yet published
  Fade fade_;       // of the sound before lost frames
  std::vector<float> faded_;

  // Consumer's side.
  alignas(64) std::atomic<uint64_t> tail_{0};  // records passed, never including the newest one
  std::atomic<uint64_t> frame_tail_{0};        // frames consumed
  std::atomic<uint64_t> awaited_{0};  // end_frame_ that the consumer waits for; kNothing: none
  std::atomic<bool> live_{false};
  uint64_t next_ = 0;  // number of the next frame to read
  Record latest_;
  Record trailing_;  // frames lost before the end, delivered when the rings are empty
};

}  // namespace patchcord
