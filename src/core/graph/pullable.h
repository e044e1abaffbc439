// An object that delivers the next frames on request: an input of the mixer, or the mixer itself.
#pragma once

#include <cstddef>
#include <cstdint>

namespace patchcord {

// The master's clock at a pull: the time of the first requested frame, and the rate of the
// requests.
struct PullTime {
  double time = 0;  // ns of the host's clock: the pull requests the sound recorded then
  double rate =
      0;  // frames requested per second of the host's clock: the true figure, near nominal
  bool after_break = false;  // the master was silent, so a jump does no further harm
  double frame = 0;          // the sink's position of the first frame; 0 without a sink
};

class Pullable {
 public:
  virtual ~Pullable() = default;
  // Audio thread. Writes exactly `frames` interleaved frames, and silence where it has nothing.
  virtual void pull(float* out, size_t frames, const PullTime& when) noexcept = 0;
};

// The most frames in one pull; scratch buffers have this size.
constexpr size_t kMaxPull = 1024;

}  // namespace patchcord
