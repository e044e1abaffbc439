// A value that may change at any moment and reaches the new value without a step.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "smoothstep.h"

namespace patchcord {

class Ramp {
 public:
  explicit Ramp(float value) : asked_(Ask{value, 0}), shown_(value), followed_{value, 0} {
    from_ = to_ = static_cast<double>(value);
  }

  // Any thread: from the next follow() on, the value moves from where it is to `value` within
  // `frames`; 0 means at once.
  void set(float value, uint32_t frames) noexcept {
    asked_.store({value, frames}, std::memory_order_relaxed);
  }
  // Any thread: the value at the last show().
  float value() const noexcept { return shown_.load(std::memory_order_relaxed); }

  // Audio thread: takes over the value and frames of the last set().
  void follow() noexcept {
    const Ask asked = asked_.load(std::memory_order_relaxed);
    if (asked.value == followed_.value && asked.frames == followed_.frames) return;
    followed_ = asked;
    from_ = here();
    to_ = static_cast<double>(asked.value);
    frames_ = asked.frames;
    done_ = 0;
  }
  bool moves() const noexcept { return done_ < frames_; }
  // Audio thread: moves on by so many frames.
  void advance(uint64_t frames) noexcept {
    done_ += static_cast<uint32_t>(std::min<uint64_t>(frames, frames_ - done_));
  }
  void finish() noexcept { done_ = frames_; }
  // Computed from the position in the ramp, not from the value before, so that rounding errors do
  // not add up.
  double here() const noexcept {
    if (!moves()) return to_;
    return from_ + (to_ - from_) * smoothstep(static_cast<double>(done_) / frames_);
  }
  void show() noexcept { shown_.store(static_cast<float>(here()), std::memory_order_relaxed); }

 private:
  // Read and written as one: never the value of one call with the frames of another.
  struct Ask {
    float value;
    uint32_t frames;
  };
  static_assert(std::atomic<Ask>::is_always_lock_free, "an audio thread reads it");

  std::atomic<Ask> asked_;
  std::atomic<float> shown_;
  Ask followed_;
  double from_, to_;
  uint32_t frames_ = 0, done_ = 0;
};

}  // namespace patchcord
