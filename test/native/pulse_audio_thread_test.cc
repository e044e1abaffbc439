// Our code on the audio thread allocates and frees nothing, while other threads query the server.
#include <dlfcn.h>
#include <execinfo.h>
#include <sys/prctl.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "pulse_server.h"

using namespace patchcord;
using namespace pulse_server;

// A function of the sanitizers' allocator; not every compiler has the header that declares it.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, size_t),
                                                         void (*)(const volatile void*));

namespace {

std::atomic<bool> watching{false};
std::atomic<int> allocations{0};

bool on_audio_thread() {
  char name[16] = "";
  prctl(PR_GET_NAME, name);
  return std::strcmp(name, "patchcord-audio") == 0;
}

// Whether the nearest caller that is neither the allocator nor the C++ library is this program, and
// not libpulse.
bool is_ours() {
  void* frames[24];
  Dl_info self{};
  dladdr(reinterpret_cast<void*>(&on_audio_thread), &self);
  const int count = backtrace(frames, 24);
  // The nearest frames are the sanitizer's backtrace(), this function, the hook, and the allocator.
  enum { kBacktrace, kHook, kCallers } part = kBacktrace;
  for (int i = 0; i < count; ++i) {
    Dl_info info{};
    if (dladdr(frames[i], &info) == 0 || !info.dli_fname) continue;
    const bool own = info.dli_fbase == self.dli_fbase;
    if (part == kBacktrace && own) part = kHook;
    if (part == kHook && !own) part = kCallers;
    if (part != kCallers) continue;
    if (std::strstr(info.dli_fname, "libpulse")) return false;
    if (own) return true;
  }
  return false;
}

void note() {
  thread_local bool inside = false;
  if (!watching || inside || !on_audio_thread()) return;
  inside = true;
  if (is_ours()) ++allocations;
  inside = false;
}
void on_malloc(const volatile void*, size_t) { note(); }
void on_free(const volatile void*) { note(); }

struct Threads final : DeviceListener {
  void on_devices_changed() noexcept override { note_thread(); }
  void on_processes_changed() noexcept override { note_thread(); }
  void on_backend_lost(const Error&) noexcept override {}
  void note_thread() {
    ++calls;
    if (on_audio_thread()) ++on_audio;
  }
  std::atomic<int> calls{0};
  std::atomic<int> on_audio{0};
};

}  // namespace

TEST("pulse: on the audio thread nothing is allocated while devices and programs are listed") {
  void* frame[1];
  backtrace(frame, 1);  // loads what it needs
  CHECK(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) != 0);
  auto host = connect();
  if (!host) return;
  Threads threads;
  host->watch(&threads);
  Tone tone(440, 0.1);
  Recorder microphone;
  Recorder loopback;
  Recorder programs;
  Taps taps;
  auto hears = capture(*host, &microphone, "mic");
  auto monitors = capture(*host, &loopback, "speakers", true);
  auto plays = render(*host, &tone, "speakers");
  auto sums = capture_programs(*host, &programs, &taps);
  if (!hears || !monitors || !plays || !sums) return;
  CHECK(!hears->start() && !monitors->start() && !plays->start() && !sums->start());
  CHECK(eventually([&] { return microphone.frames > 9600 && loopback.frames > 9600; }));
  CHECK(eventually([&] { return taps.attached >= 1; }));
  watching = true;
  for (int turn = 0; turn < 10; ++turn) {
    list(*host);
    std::vector<ProcessInfo> processes;
    CHECK(!host->list_processes({Flow::kOutput, false, true}, &processes));
    Cable cable;
    CHECK(!host->make_cable("Busy", Format{}, &cable));
    Recorder other;
    auto opened = capture(*host, &other, cable.microphone.id);
    if (opened) CHECK(!opened->start());
    CHECK(eventually([&] { return other.frames > 480 || other.idles > 0; }));
    opened.reset();
    host->remove_made(cable.render_id);
    sums->select({true, {}, {}});
  }
  watching = false;
  CHECK(allocations == 0);
  CHECK(!on_audio_thread());
  CHECK(threads.calls > 0 && threads.on_audio == 0);
  host->watch(nullptr);
  sums.reset();
  __sanitizer_install_malloc_and_free_hooks(nullptr, nullptr);
}
