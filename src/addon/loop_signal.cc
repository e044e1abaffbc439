#include "loop_signal.h"

#include <new>
#include <utility>

// Functions that every libuv 1 has under these names. They are declared here because the headers of
// Node-API do not include libuv's. All types are behind pointers, so their layout is not needed.
extern "C" {
struct uv_handle_s;
int uv_async_init(uv_loop_s* loop, uv_async_s* async, void (*callback)(uv_async_s*));
int uv_async_send(uv_async_s* async);
void uv_close(uv_handle_s* handle, void (*callback)(uv_handle_s*));
void uv_ref(uv_handle_s* handle);
void uv_unref(uv_handle_s* handle);
size_t uv_handle_size(int type);
void* uv_handle_get_data(const uv_handle_s* handle);
void uv_handle_set_data(uv_handle_s* handle, void* data);
}

namespace patchcord {
namespace {

constexpr int kUvAsync = 1;  // uv_handle_type's UV_ASYNC

uv_handle_s* as_handle(uv_async_s* async) { return reinterpret_cast<uv_handle_s*>(async); }

}  // namespace

LoopSignal::LoopSignal(Napi::Env env, std::function<void()> serve) : serve_(std::move(serve)) {
  uv_loop_s* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  async_ = static_cast<uv_async_s*>(::operator new(uv_handle_size(kUvAsync)));
  uv_async_init(loop, async_, [](uv_async_s* async) {
    static_cast<LoopSignal*>(uv_handle_get_data(as_handle(async)))->serve_();
  });
  uv_handle_set_data(as_handle(async_), this);
  uv_unref(as_handle(async_));
}

void LoopSignal::send() noexcept {
  if (!closing_.load(std::memory_order_acquire)) uv_async_send(async_);
}

void LoopSignal::ref() { uv_ref(as_handle(async_)); }

void LoopSignal::unref() { uv_unref(as_handle(async_)); }

void LoopSignal::close(std::function<void()> closed) {
  closed_ = std::move(closed);
  closing_.store(true, std::memory_order_release);
  uv_close(as_handle(async_), [](uv_handle_s* handle) {
    auto* self = static_cast<LoopSignal*>(uv_handle_get_data(handle));
    ::operator delete(handle);
    self->async_ = nullptr;
    std::exchange(self->closed_, nullptr)();
  });
}

}  // namespace patchcord
