// The machine's sleep, in a form that all streams of a clock read alike. All streams leave out the
// same frames, so that streams with the same count stay aligned.
#pragma once

#include <atomic>
#include <cmath>
#include <cstdint>

namespace patchcord {

// Any thread, also audio threads: it is one atomic word.
class SleepLog {
 public:
  // A stream has nothing for the time between two instants (ns), and that is more than it fills.
  // Returns the whole seconds to leave out, at least a second less than that time. Streams notice a
  // sleep at different instants, depending on what their devices still held.
  int64_t leave_out(int64_t from, int64_t until) noexcept {
    const int64_t own = (until - from) / kNsPerS - kSpread;
    if (own <= 0) return 0;
    const uint64_t entry = static_cast<uint64_t>(from / kNsPerS) << kSecondsBits |
                           static_cast<uint64_t>(own < kMostSeconds ? own : kMostSeconds);
    uint64_t last = last_.load(std::memory_order_acquire);
    // The second stream finds the entry of the first, even if both arrive at once.
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

  std::atomic<uint64_t> last_{0};  // the clock's second at which the sleep began, and its length
};

}  // namespace patchcord
