// A part of an environment that runs on its own thread.
#pragma once

namespace patchcord {

// An open device, or the pump of a mixer. When the environment ends, it releases all sessions that
// still run.
class Session {
 public:
  virtual ~Session() = default;
  // Control thread, or the JS thread while the control thread does nothing for this session. When
  // it returns, no thread of the session runs any more.
  virtual void release() noexcept = 0;
};

}  // namespace patchcord
