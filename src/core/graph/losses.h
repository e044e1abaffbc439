// The losses of a stream, reported as disjoint spans in order. Adjacent spans are joined.
#pragma once

#include <algorithm>
#include <cstdint>

namespace patchcord {

// Audio thread.
class Losses {
 public:
  // Adds frames from `frame` on, except those already reported.
  template <class Tell>
  void add(uint64_t frame, uint64_t frames, const Tell& tell) noexcept {
    const uint64_t from = std::max(frame, told_), until = frame + frames;
    if (until <= from) return;
    if (until_ > from_ && (from > until_ + kRounding || until < from_)) settle(tell);
    const bool joins = until_ > from_;
    from_ = joins ? std::min(from_, from) : std::max(from, told_);
    until_ = joins ? std::max(until_, until) : until;
  }
  // The loss is over: tell(frame, frames) is called if there was one.
  template <class Tell>
  void settle(const Tell& tell) noexcept {
    if (until_ > from_) tell(from_, until_ - from_);
    told_ = from_ = std::max(told_, until_);
    until_ = from_;
  }
  // After settle(): the frames before `frame` have been reported in another way.
  void told_until(uint64_t frame) noexcept { told_ = std::max(told_, frame); }

 private:
  // frames between two spans that touch but were rounded at different rates
  static constexpr uint64_t kRounding = 2;

  uint64_t from_ = 0, until_ = 0;  // not reported yet
  uint64_t told_ = 0;              // all frames before it were reported, or not lost
};

}  // namespace patchcord
