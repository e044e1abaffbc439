// How an audio thread tells the event loop that there is something to fetch.
#pragma once

namespace patchcord {

class Wakeup {
 public:
  virtual ~Wakeup() = default;
  // Any thread, audio threads too: it neither locks nor allocates.
  virtual void wake() noexcept = 0;
};

}  // namespace patchcord
