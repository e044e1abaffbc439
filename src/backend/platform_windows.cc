// The platform's part of core/time/clock.h, for Windows.
#include <windows.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "../core/time/clock.h"

namespace patchcord {
namespace {

int64_t performance_frequency() noexcept {
  // Fixed at boot, so one reading is enough.
  static const int64_t frequency = [] {
    LARGE_INTEGER value;
    QueryPerformanceFrequency(&value);
    return static_cast<int64_t>(value.QuadPart);
  }();
  return frequency;
}

int64_t performance_ns() noexcept {
  // libuv scales this counter for process.hrtime(), and WASAPI for the timestamps of its packets.
  // Whole seconds and the rest are scaled apart: the product of the counter and 1e9 overflows after
  // 15 minutes.
  LARGE_INTEGER counter;
  QueryPerformanceCounter(&counter);
  const int64_t frequency = performance_frequency();
  return counter.QuadPart / frequency * kNsPerSecond +
         counter.QuadPart % frequency * kNsPerSecond / frequency;
}

class WindowsEvent final : public Event {
 public:
  WindowsEvent() {
    event_ = CreateEventW(nullptr, /*manual reset*/ FALSE, FALSE, nullptr);
    // The wait functions' own timeouts end on the system tick, 15.6 ms apart unless some program
    // asked for less. Timers of this kind (since Windows 10 1803) do not wait for it.
    constexpr DWORD kHighResolution = 0x00000002;  // CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
    timer_ = CreateWaitableTimerExW(nullptr, nullptr, kHighResolution, TIMER_ALL_ACCESS);
    if (!timer_) timer_ = CreateWaitableTimerExW(nullptr, nullptr, 0, TIMER_ALL_ACCESS);
  }

  ~WindowsEvent() override {
    CloseHandle(timer_);
    CloseHandle(event_);
  }

  void signal() noexcept override { SetEvent(event_); }

  void wait(int64_t timeout_ns) noexcept override {
    if (timeout_ns <= 0) {
      WaitForSingleObject(event_, timeout_ns < 0 ? INFINITE : 0);
      return;
    }
    // Negative: from now on, in units of 100 ns; rounded up, so that no wait ends before its time.
    LARGE_INTEGER due;
    due.QuadPart = -(timeout_ns / 100 + (timeout_ns % 100 != 0));
    SetWaitableTimer(timer_, &due, 0, nullptr, nullptr, FALSE);
    const HANDLE either[] = {event_, timer_};
    WaitForMultipleObjects(2, either, FALSE, INFINITE);
  }

 private:
  HANDLE event_;
  HANDLE timer_;
};

// For debuggers and profilers. kernel32 of Windows Server 2016 lacks the function, kernelbase has
// it.
void name_thread(const char* name) {
  using SetDescription = HRESULT(WINAPI*)(HANDLE, PCWSTR);
  const auto set_description = reinterpret_cast<SetDescription>(reinterpret_cast<void*>(
      GetProcAddress(GetModuleHandleW(L"kernelbase.dll"), "SetThreadDescription")));
  const std::string ascii = name;
  if (set_description) {
    set_description(GetCurrentThread(), std::wstring(ascii.begin(), ascii.end()).c_str());
  }
}

class ThreadTask final : public Clock::Task {
 public:
  ThreadTask(const char* name, Priority priority, Clock::Step step) : step_(std::move(step)) {
    thread_ = std::thread([this, name = std::string(name), priority] {
      name_thread(name.c_str());
      ThreadPriority raised(priority);
      run();
    });
  }

  ~ThreadTask() override {
    stopping_.store(true, std::memory_order_release);
    event_.signal();
    thread_.join();
  }

  void wake() noexcept override {
    woken_.store(true, std::memory_order_release);
    event_.signal();
  }

 private:
  void run() {
    int64_t next = performance_ns();
    while (!stopping_.load(std::memory_order_acquire)) {
      const int64_t now = performance_ns();
      if (woken_.exchange(false, std::memory_order_acq_rel) || now >= next) {
        next = step_(now);
      } else {
        event_.wait(next == kNever ? -1 : next - now);
      }
    }
  }

  WindowsEvent event_;
  Clock::Step step_;
  std::atomic<bool> woken_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

class RealClock final : public Clock {
 public:
  int64_t now() const noexcept override { return performance_ns(); }
  std::unique_ptr<Task> start(const char* name, Priority priority, Step step) override {
    return std::make_unique<ThreadTask>(name, priority, std::move(step));
  }
};

// The multimedia class scheduler. It is loaded at its first use: Windows' N editions and Server
// Core come without avrt.dll, and an unresolved import would keep the addon from loading.
struct Mmcss {
  using SetCharacteristics = HANDLE(WINAPI*)(LPCWSTR, LPDWORD);
  using RevertCharacteristics = BOOL(WINAPI*)(HANDLE);

  Mmcss() {
    const HMODULE avrt = LoadLibraryExW(L"avrt.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
    if (!avrt) return;
    set = reinterpret_cast<SetCharacteristics>(
        reinterpret_cast<void*>(GetProcAddress(avrt, "AvSetMmThreadCharacteristicsW")));
    revert = reinterpret_cast<RevertCharacteristics>(
        reinterpret_cast<void*>(GetProcAddress(avrt, "AvRevertMmThreadCharacteristics")));
  }

  SetCharacteristics set = nullptr;
  RevertCharacteristics revert = nullptr;
};

const Mmcss& mmcss() {
  static const Mmcss mmcss;
  return mmcss;
}

}  // namespace

std::unique_ptr<Event> Event::create() { return std::make_unique<WindowsEvent>(); }

Clock& real_clock() {
  // Never destroyed: audio threads of an exiting process may still ask for the time.
  static RealClock& clock = *new RealClock;
  return clock;
}

ThreadPriority::ThreadPriority(Priority priority) {
  if (priority != Priority::kAudio) return;
  if (mmcss().set && mmcss().revert) {
    DWORD task = 0;
    handle_ = mmcss().set(L"Pro Audio", &task);
  }
  answer_.granted = handle_ || SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_TIME_CRITICAL);
  if (!answer_.granted) answer_.why_not = "Windows did not grant a higher priority";
}

ThreadPriority::~ThreadPriority() {
  // A characteristic belongs to the thread that set it, and only that thread can revert it.
  if (handle_) {
    mmcss().revert(handle_);
  } else if (answer_.granted) {
    SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_NORMAL);
  }
}

ThreadPriority::Answer ThreadPriority::answer() const { return answer_; }

}  // namespace patchcord
