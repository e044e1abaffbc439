// How any thread makes the event loop call a function: libuv's uv_async_t.
#pragma once

#include <napi.h>

#include <atomic>
#include <functional>

struct uv_async_s;

namespace patchcord {

// Not a thread-safe function of Node-API: calling that takes a lock and allocates, which an audio
// thread may not, and a thread between the two costs each wake a change of threads. Begins without
// keeping the process alive.
class LoopSignal {
 public:
  // JS thread. `serve` runs on it, with neither a handle scope nor a callback scope open.
  LoopSignal(Napi::Env env, std::function<void()> serve);
  LoopSignal(const LoopSignal&) = delete;
  LoopSignal& operator=(const LoopSignal&) = delete;

  // Any thread, audio threads too: libuv's is safe even in signal handlers. One call of `serve`
  // stands for all before it. After close() only the JS thread may come here, and it does nothing.
  void send() noexcept;

  void ref();    // JS thread: keeps the process alive
  void unref();  // JS thread

  // JS thread, once, when no other thread sends any more: `serve` is not called from here on.
  // `closed` is called by the loop, which must still turn for that. *this may go after it.
  void close(std::function<void()> closed);

 private:
  uv_async_s* async_ = nullptr;
  // libuv asserts on Windows that nobody sends to a handle that is closing.
  std::atomic<bool> closing_{false};
  std::function<void()> serve_;
  std::function<void()> closed_;
};

}  // namespace patchcord
