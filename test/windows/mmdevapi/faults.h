// Scripted answers: which call of which endpoint fails, with what, when, and how often; or hangs.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "../../../src/backend/wasapi/windows_sdk.h"

namespace patchcord {

// Every method of this library asks here before it does anything, by its name as documented:
// "IAudioClient::Initialize". So a fault can be scripted at any call.
class Faults {
 public:
  static constexpr uint32_t kForever = UINT32_MAX;

  struct Fault {
    std::string endpoint;  // the world's id; "*": any, and calls that concern none
    std::string call;
    HRESULT result;  // may be a success code: the call then does nothing and says so
    uint32_t after;  // calls that go well before
    uint32_t times;  // calls that fail
    // The call returns only when the faults are cleared, and then goes well: a driver that hangs.
    bool hangs = false;
  };

  // Any thread.
  void add(Fault fault) {
    std::lock_guard<std::mutex> lock(mutex_);
    faults_.push_back(std::move(fault));
    armed_.store(true, std::memory_order_release);
  }
  void clear() {
    std::lock_guard<std::mutex> lock(mutex_);
    faults_.clear();
    ++cleared_;
    armed_.store(false, std::memory_order_release);
    mended_.notify_all();
  }

  // Calls that hang now.
  uint32_t hanging() {
    std::lock_guard<std::mutex> lock(mutex_);
    return hanging_;
  }

  // Whether this call is to be answered by `result` alone. Any thread; nothing is locked while no
  // fault is scripted.
  bool strikes(const std::string& endpoint, const char* call, HRESULT* result) {
    if (!armed_.load(std::memory_order_acquire)) return false;
    std::unique_lock<std::mutex> lock(mutex_);
    for (Fault& fault : faults_) {
      if (fault.times == 0 || fault.call != call) continue;
      if (fault.endpoint != "*" && fault.endpoint != endpoint) continue;
      if (fault.after > 0) {
        --fault.after;
        continue;
      }
      if (fault.times != kForever) --fault.times;
      if (fault.hangs) {
        ++hanging_;
        mended_.wait(lock, [this, now = cleared_] { return cleared_ != now; });
        --hanging_;
        return false;
      }
      *result = fault.result;
      return true;
    }
    return false;
  }

 private:
  std::atomic<bool> armed_{false};
  std::mutex mutex_;
  std::condition_variable mended_;
  std::vector<Fault> faults_;
  uint64_t cleared_ = 0;
  uint32_t hanging_ = 0;
};

}  // namespace patchcord
