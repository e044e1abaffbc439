// A receiver of a producer's frames.
#pragma once

#include <cstddef>

#include "record.h"

namespace patchcord {

class Receiver {
 public:
  virtual ~Receiver() = default;
  // Producer thread. `samples` null: silence, and the flags say why; the sound before it has been
  // faded out (silence.h). Consecutive records are contiguous.
  virtual void push(const float* samples, const Record& record) noexcept = 0;
  virtual void end() noexcept = 0;           // nothing follows
  virtual size_t room() const noexcept = 0;  // how many frames push() would take now
  // Whether a device plays what this receives, so that each frame must be there when it is due. All
  // other receivers wait for late frames.
  virtual bool live() const noexcept { return false; }
  // The producer's system does not answer. Missing frames may still come, so a recording waits
  // longer for them.
  virtual void hold(bool held) noexcept { (void)held; }
  // The producer has nothing to deliver until it ends or continues. Missing frames are not late.
  virtual void rest(bool rests) noexcept { (void)rests; }
  // After push(): whether the reader must be woken.
  virtual bool take_awaited() noexcept { return true; }
};

}  // namespace patchcord
