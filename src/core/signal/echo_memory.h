// A copy of an echo path that worked, for when the echo comes back.
#pragma once

#include <vector>

#include "echo_path.h"
#include "echo_reference.h"
#include "echo_shape.h"
#include "real_fft.h"

namespace patchcord {

// When a loudspeaker is switched off while its program plays on, the filter unlearns the path
// within a second. When the loudspeaker sounds again, the filter has to learn the path from the
// start, and takes steps that are small, because it takes the sudden echo for a talker. The memory
// shows that the sound is the old echo. Audio thread; nothing but the constructor allocates.
class EchoMemory {
 public:
  explicit EchoMemory(const EchoShape& shape);

  // Takes the next block in which the reference sounds: the microphone, and what the filter left.
  // Returns whether the kept path explains the microphone far better than `path` does. Then echo()
  // is what it expected, and restore() puts it back.
  bool recognises(const EchoPath& path, const EchoReference& reference, RealFft& fft,
                  const float* microphone, const float* residual) noexcept;
  const float* echo() const noexcept { return &samples_[shape_.transform - shape_.block]; }
  void restore(EchoPath& path) noexcept { path.restore(re_, im_); }

 private:
  void keep(const EchoPath& path) noexcept;
  void predict(const EchoReference& reference, RealFft& fft) noexcept;

  const EchoShape shape_;
  std::vector<float> re_, im_;  // the kept path
  float power_ = 0;             // its power gain; 0: there is none
  std::vector<float> yr_, yi_, samples_;
  float heard_ = 0, left_ = 0;  // mean powers of the microphone and of the residual
  int good_blocks_ = 0, better_blocks_ = 0;
};

}  // namespace patchcord
