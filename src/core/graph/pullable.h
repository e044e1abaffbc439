// Whatever can be asked for the next frames: an input of the mixer, the mixer itself.
#pragma once

#include <cstddef>
#include <cstdint>

namespace patchcord {

// The master's clock at a pull: when the first frame asked for is due, and how fast the asking
// goes.
struct PullTime {
  double time = 0;  // ns of the host's clock; what was heard then is wanted now
  double rate =
      0;  // frames asked for per second of the host's clock, the true figure, near nominal
  bool after_break = false;  // the master was silent: a jump is no further harm
  double frame = 0;          // the sink's position of the first frame; 0 where no sink asks
};

class Pullable {
 public:
  virtual ~Pullable() = default;
  // Audio thread. Writes exactly `frames` interleaved frames; silence where there is nothing.
  virtual void pull(float* out, size_t frames, const PullTime& when) noexcept = 0;
};

// No pull asks for more at a time; scratch buffers have this size.
constexpr size_t kMaxPull = 1024;

}  // namespace patchcord
