// The losses of a stream, reported as disjoint spans in order. Adjacent spans are joined.
#pragma once

#include <algorithm>
#include <cstdint>

namespace patchcord {

// Audio thread.
class Losses {
 public:
  // Frames from `frame` on; what has been told of them is not told again.
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
  // After settle(): what comes before `frame` has been told otherwise.
  void told_until(uint64_t frame) noexcept { told_ = std::max(told_, frame); }

 private:
  static constexpr uint64_t kRounding = 2;  // frames between spans that touch, of other rates

  uint64_t from_ = 0, until_ = 0;  // not told yet
  uint64_t told_ = 0;              // all up to there has been told, or was not lost
};

}  // namespace patchcord
