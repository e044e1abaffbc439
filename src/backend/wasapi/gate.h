// Keeps a thread that may hang inside the system from calling objects that no longer wait for it.
#pragma once

#include <atomic>
#include <thread>

namespace patchcord {

// One thread passes, another shuts. Passing neither locks nor waits, so audio threads may pass. A
// call inside the gate must not block, so that shutting does not wait long.
class Gate {
 public:
  class Pass {
   public:
    explicit Pass(Gate* gate) : gate_(gate) {
      // Sequentially consistent, as in shut(): either this thread sees that the gate is shut, or
      // the other thread sees that this one is inside.
      gate_->inside_.store(true);
      granted_ = gate_->open_.load();
    }
    ~Pass() { gate_->inside_.store(false); }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

    explicit operator bool() const { return granted_; }

   private:
    Gate* const gate_;
    bool granted_;
  };

  // After it returns, no thread is inside and none can enter.
  void shut() {
    open_.store(false);
    while (inside_.load()) std::this_thread::yield();
  }

 private:
  std::atomic<bool> open_{true};
  std::atomic<bool> inside_{false};
};

}  // namespace patchcord
