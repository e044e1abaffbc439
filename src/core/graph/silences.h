// Remembers which of a stream's newest frames were counted as silence. Frames that prove to be lost
// are counted only as lost.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace patchcord {

// Audio thread.
class Silences {
 public:
  void add(uint64_t frame, uint64_t frames) noexcept {
    Span& newest = spans_[newest_];
    if (newest.until == frame) {
      newest.until += frames;
      return;
    }
    newest_ = (newest_ + 1) % spans_.size();
    spans_[newest_] = {frame, frame + frames};
  }
  // How many of these frames were counted as silence. Called only once for each frame.
  uint64_t among(uint64_t frame, uint64_t frames) const noexcept {
    uint64_t sum = 0;
    for (const Span& span : spans_) {
      const uint64_t from = std::max(span.from, frame);
      const uint64_t until = std::min(span.until, frame + frames);
      if (until > from) sum += until - from;
    }
    return sum;
  }

 private:
  struct Span {
    uint64_t from = 0, until = 0;
  };

  std::array<Span, 64> spans_{};
  size_t newest_ = 0;
};

}  // namespace patchcord
