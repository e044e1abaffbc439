// A thread for calls into the audio system, which may hang in a driver and never return.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "../../core/error.h"
#include "handle.h"

namespace patchcord {

// The longest that anything waits for the system.
constexpr DWORD kSystemTimeoutMs = 10000;

// Whether the thread raised it in time.
inline bool wait_for(const Handle& event) {
  return WaitForSingleObject(event.get(), kSystemTimeoutMs) == WAIT_OBJECT_0;
}

// What its owner says when it did not: `attempt` is what was asked ("opening the device").
Error timeout_error(const std::string& attempt, const std::string& device_id = {});

// Its methods are for one thread, the owner's. `run` must own all that it uses: a thread that hangs
// can neither be waited for nor ended, so it outlives its owner.
class SystemThread {
 public:
  explicit SystemThread(std::function<void()> run);
  ~SystemThread() { end(); }
  SystemThread(const SystemThread&) = delete;
  SystemThread& operator=(const SystemThread&) = delete;

  bool runs() const { return thread_.joinable(); }
  // Waits for its end, as long as for anything. False: it hangs, and was left behind.
  bool end();
  // It is known to hang: no more waiting.
  void leave_behind();

 private:
  std::shared_ptr<Handle> ended_;
  std::thread thread_;
};

}  // namespace patchcord
