// How programs are called back: on a thread of the system's own, one call at a time.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "../../../src/core/time/clock.h"
#include "counted_object.h"

namespace patchcord {

class CallbackThread {
 public:
  explicit CallbackThread(Clock& clock)
      : task_(clock.start("mmdevapi-callbacks", Priority::kNormal, [this](int64_t) {
          run();
          return kNever;
        })) {}

  void post(std::function<void()> call) {  // any thread
    {
      std::lock_guard<std::mutex> lock(mutex_);
      calls_.push_back(std::move(call));
    }
    task_->wake();
  }

 private:
  void run() {
    std::vector<std::function<void()>> calls;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      calls.swap(calls_);
    }
    for (const auto& call : calls) call();
  }

  std::mutex mutex_;
  std::vector<std::function<void()>> calls_;
  std::unique_ptr<Clock::Task> task_;  // last: it ends before what it uses
};

// The callbacks registered for an object (an endpoint, a session).
template <class Interface>
class Listeners {
 public:
  explicit Listeners(CallbackThread* thread) : thread_(thread) {}

  void add(const std::string& key, Interface* listener) {
    listener->AddRef();
    std::lock_guard<std::mutex> lock(calling_);
    listeners_.push_back({key, listener});
  }

  // When it returns, it is not called any more; so not from a callback, which would wait for
  // itself.
  bool remove(const std::string& key, Interface* listener) {
    {
      std::lock_guard<std::mutex> lock(calling_);
      const auto found =
          std::find(listeners_.begin(), listeners_.end(), std::make_pair(key, listener));
      if (found == listeners_.end()) return false;
      listeners_.erase(found);
    }
    listener->Release();
    return true;
  }

  void tell(const std::string& key, std::function<void(Interface*)> what) {  // any thread
    thread_->post([this, key, what = std::move(what)] {
      std::lock_guard<std::mutex> lock(calling_);
      for (const auto& one : listeners_) {
        if (one.first == key) what(one.second);
      }
    });
  }

 private:
  CallbackThread* const thread_;
  std::mutex calling_;
  std::vector<std::pair<std::string, Interface*>> listeners_;
};

}  // namespace patchcord
