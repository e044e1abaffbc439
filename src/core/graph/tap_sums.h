// The one audio thread that makes all sums of a host. However many there are, it wakes a hundred
// times a second, together with the threads that read them.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "../published.h"
#include "../time/clock.h"

namespace patchcord {

class TapSums {
 public:
  // The time between two turns. Turns are at multiples of it, so that all sums deliver at the same
  // moment.
  static constexpr int64_t kPeriodNs = 10 * kNsPerMs;

  class Sum {
   public:
    virtual void step(int64_t now) noexcept = 0;  // audio thread

   protected:
    ~Sum() = default;
  };

  explicit TapSums(Clock& clock) : clock_(clock) {}

  Clock& clock() const { return clock_; }

  // Any thread except audio threads. After remove(), which may be called twice, `sum` is not called
  // any more. The thread exists as long as there is a sum.
  void add(Sum* sum);
  void remove(Sum* sum);

 private:
  using Sums = std::vector<Sum*>;

  int64_t step(int64_t now) noexcept;

  Clock& clock_;
  std::mutex writing_;
  Sums sums_;  // writers' side
  Published<Sums> published_;
  std::unique_ptr<Clock::Task> task_;
};

}  // namespace patchcord
