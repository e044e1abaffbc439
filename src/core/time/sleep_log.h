// What of the time the machine slept, told alike to all streams of a clock: the frames that one
// leaves out all leave out, so that streams which count alike go on counting alike.
#pragma once

#include <atomic>
#include <cmath>
#include <cstdint>

namespace patchcord {

// Any thread, also audio threads: one word.
class SleepLog {
 public:
  // A stream has nothing for the time between two instants (ns), and that is more than it fills.
  // Returns the whole seconds to leave out, at least a second less than that is: streams notice a
  // sleep at different instants, by what their devices still held.
  int64_t leave_out(int64_t from, int64_t until) noexcept {
    const int64_t own = (until - from) / kNsPerS - kSpread;
    if (own <= 0) return 0;
    const uint64_t entry = static_cast<uint64_t>(from / kNsPerS) << kSecondsBits |
                           static_cast<uint64_t>(own < kMostSeconds ? own : kMostSeconds);
    uint64_t last = last_.load(std::memory_order_acquire);
    // Who comes second finds the entry of the first, even while both come at once.
    do {
      const int64_t seconds = static_cast<int64_t>(last & kMostSeconds);
      const int64_t began = static_cast<int64_t>(last >> kSecondsBits);
      const bool same = last != 0 && std::llabs(began - from / kNsPerS) <= kSpread &&
                        std::llabs(seconds - own) <= kSpread;
      if (same) return seconds;
    } while (!last_.compare_exchange_weak(last, entry, std::memory_order_acq_rel));
    return own;
  }

 private:
  static constexpr int64_t kNsPerS = 1000000000;
  static constexpr int64_t kSpread = 2;  // s
  static constexpr int kSecondsBits = 26;
  static constexpr int64_t kMostSeconds = (1 << kSecondsBits) - 1;  // two years

  std::atomic<uint64_t> last_{0};  // seconds of the clock at which it began; its length
};

}  // namespace patchcord
