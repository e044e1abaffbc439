// Lets any thread make the event loop call a function, by libuv's uv_async_t.
#pragma once

#include <napi.h>

#include <atomic>
#include <functional>

struct uv_async_s;

namespace patchcord {

// Used instead of a thread-safe function of Node-API: calling that takes a lock and allocates,
// which an audio thread may not do, and a thread in between would cost a context switch for each
// wake. At first it does not keep the process alive.
class LoopSignal {
 public:
  // JS thread. `serve` runs on it, without an open handle scope or callback scope.
  LoopSignal(Napi::Env env, std::function<void()> serve);
  LoopSignal(const LoopSignal&) = delete;
  LoopSignal& operator=(const LoopSignal&) = delete;

  // Any thread, audio threads too: libuv's function is safe even in signal handlers. One call of
  // `serve` answers all signals before it. After close() only the JS thread may call it, and it
  // does nothing.
  void send() noexcept;

  void ref();    // JS thread: keeps the process alive
  void unref();  // JS thread

  // JS thread, once, when no other thread sends any more: `serve` is not called from here on. The
  // loop calls `closed` in a later turn. *this may be destroyed after that.
  void close(std::function<void()> closed);

 private:
  uv_async_s* async_ = nullptr;
  // On Windows libuv asserts that no thread signals a handle that is closing.
  std::atomic<bool> closing_{false};
  std::function<void()> serve_;
  std::function<void()> closed_;
};

}  // namespace patchcord
