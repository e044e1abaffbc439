// A receiver of a producer's frames.
#pragma once

#include <cstddef>

#include "record.h"

namespace patchcord {

class Receiver {
 public:
  virtual ~Receiver() = default;
  // Producer thread. `samples` null: silence, with flags saying why; the sound before it has fallen
  // to zero (silence.h). Consecutive records are contiguous.
  virtual void push(const float* samples, const Record& record) noexcept = 0;
  virtual void end() noexcept = 0;           // nothing follows
  virtual size_t room() const noexcept = 0;  // frames that push() would take now
  // Whether somebody there must have each frame when it is due, because a device plays it. Everyone
  // else waits for what is late.
  virtual bool live() const noexcept { return false; }
  // The producer's system does not answer: what is missing may still come, so that a recording
  // waits longer for it.
  virtual void hold(bool held) noexcept { (void)held; }
  // After push(): whether its reader is to be woken.
  virtual bool take_awaited() noexcept { return true; }
};

}  // namespace patchcord
