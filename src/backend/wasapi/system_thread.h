// A thread for calls into the audio system, which may hang in a driver and never return.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "../../core/error.h"
#include "handle.h"

namespace patchcord {

// The longest wait for the system.
constexpr DWORD kSystemTimeoutMs = 10000;

// Returns whether the thread raised it in time.
inline bool wait_for(const Handle& event) {
  return WaitForSingleObject(event.get(), kSystemTimeoutMs) == WAIT_OBJECT_0;
}

// The owner's error if it did not: `attempt` says what was requested ("opening the device").
Error timeout_error(const std::string& attempt, const std::string& device_id = {});

// The methods are for one thread, the owner's. `run` must own everything that it uses: a thread
// that hangs can neither be joined nor ended, so it outlives its owner.
class SystemThread {
 public:
  explicit SystemThread(std::function<void()> run);
  ~SystemThread() { end(); }
  SystemThread(const SystemThread&) = delete;
  SystemThread& operator=(const SystemThread&) = delete;

  bool runs() const { return thread_.joinable(); }
  // Waits for its end, up to the usual timeout. Returns false if the thread hangs and was
  // abandoned.
  bool end();
  // Abandons the thread without waiting, because it is known to hang.
  void leave_behind();

 private:
  std::shared_ptr<Handle> ended_;
  std::thread thread_;
};

}  // namespace patchcord
