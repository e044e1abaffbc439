// A stream's place in time, written by its audio thread and read by any other without a lock.
#pragma once

#include <atomic>
#include <cstdint>

namespace patchcord {

// A seqlock over atomics (Boehm, "Can seqlocks get along with programming language memory models?",
// MSPC 2012): the writer never waits, a reader repeats when it was overtaken.
class Anchor {
 public:
  struct Value {
    double frame = 0;
    double time = 0;  // ns
    double rate = 0;  // true frames per second; 0: not set yet

    double time_at(double at) const { return time + (at - frame) * 1e9 / rate; }
    double frame_at(double at) const { return frame + (at - time) * rate * 1e-9; }
  };

  void set(const Value& value) noexcept {
    const uint32_t version = version_.load(std::memory_order_relaxed);
    version_.store(version + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    frame_.store(value.frame, std::memory_order_relaxed);
    time_.store(value.time, std::memory_order_relaxed);
    rate_.store(value.rate, std::memory_order_relaxed);
    version_.store(version + 2, std::memory_order_release);
  }

  Value get() const noexcept {
    for (;;) {
      const uint32_t before = version_.load(std::memory_order_acquire);
      Value value{frame_.load(std::memory_order_acquire), time_.load(std::memory_order_acquire),
                  rate_.load(std::memory_order_acquire)};
      if ((before & 1) == 0 && version_.load(std::memory_order_relaxed) == before) return value;
    }
  }

 private:
  std::atomic<uint32_t> version_{0};
  std::atomic<double> frame_{0};
  std::atomic<double> time_{0};
  std::atomic<double> rate_{0};
};

}  // namespace patchcord
