// Wakes the event loop from an audio thread, to fetch what is there.
#pragma once

namespace patchcord {

class Wakeup {
 public:
  virtual ~Wakeup() = default;
  // Any thread, audio threads too: it neither locks nor allocates.
  virtual void wake() noexcept = 0;
};

}  // namespace patchcord
