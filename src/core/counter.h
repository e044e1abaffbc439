// A counter with one writer, read by any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace patchcord {

class Counter {
 public:
  void add(uint64_t by) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  void set(uint64_t to) noexcept { value_.store(to, std::memory_order_relaxed); }
  operator uint64_t() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace patchcord
