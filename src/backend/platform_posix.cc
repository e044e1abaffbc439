// The platform's part of core/time/clock.h, for POSIX systems.
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>

#include "realtime_kit.h"
#else
#include <dispatch/dispatch.h>
#endif

#include <atomic>
#include <string>
#include <thread>

#include "../core/time/clock.h"

namespace patchcord {
namespace {

int64_t monotonic_ns() noexcept {
  // CLOCK_MONOTONIC is what libuv reads for process.hrtime().
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * kNsPerSecond + now.tv_nsec;
}

void name_this_thread(const std::string& name) {
#if defined(__linux__)
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
#else
  pthread_setname_np(name.c_str());
#endif
}

#if defined(__linux__)

// A futex: signal() makes at most one system call, takes no lock and needs no file descriptor. The
// kernel counts a relative timeout of FUTEX_WAIT on CLOCK_MONOTONIC; sem_timedwait would count on
// the wall clock, which people and time servers set.
class PlatformEvent final : public Event {
 public:
  void signal() noexcept override {
    if (state_.exchange(kSignalled, std::memory_order_acq_rel) == kAwaited) {
      syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    }
  }

  void wait(int64_t timeout_ns) noexcept override {
    const int64_t start = timeout_ns < 0 ? 0 : monotonic_ns();
    // Each check is a read-modify-write, so that everything the signalling thread wrote before
    // signal() is visible.
    while (state_.exchange(kAwaited, std::memory_order_acq_rel) != kSignalled) {
      Timeout left{};
      if (timeout_ns >= 0) {
        const int64_t ns = timeout_ns - (monotonic_ns() - start);
        if (ns <= 0) break;
        left = {static_cast<long>(ns / kNsPerSecond), static_cast<long>(ns % kNsPerSecond)};
      }
      // It also returns for a POSIX signal and when the state has changed meanwhile.
      syscall(SYS_futex, &state_, FUTEX_WAIT_PRIVATE, kAwaited, timeout_ns < 0 ? nullptr : &left,
              nullptr, 0);
    }
    state_.exchange(kIdle, std::memory_order_acq_rel);
  }

 private:
  // The kernel's timespec for this system call, also where the C library's has another time_t.
  struct Timeout {
    long seconds, nanoseconds;
  };
  enum : uint32_t { kIdle, kAwaited, kSignalled };
  std::atomic<uint32_t> state_{kIdle};
};

#else

// macOS has no unnamed semaphores; dispatch semaphores count on mach_absolute_time.
class PlatformEvent final : public Event {
 public:
  ~PlatformEvent() override { dispatch_release(semaphore_); }

  void signal() noexcept override {
    if (!signalled_.exchange(true, std::memory_order_acq_rel)) {
      dispatch_semaphore_signal(semaphore_);
    }
  }

  void wait(int64_t timeout_ns) noexcept override {
    const dispatch_time_t until =
        timeout_ns < 0 ? DISPATCH_TIME_FOREVER : dispatch_time(DISPATCH_TIME_NOW, timeout_ns);
    if (dispatch_semaphore_wait(semaphore_, until) != 0) return;
    signalled_.exchange(false, std::memory_order_acq_rel);
  }

 private:
  const dispatch_semaphore_t semaphore_ = dispatch_semaphore_create(0);
  std::atomic<bool> signalled_{false};
};

#endif

class ThreadTask final : public Clock::Task {
 public:
  ThreadTask(const char* name, Priority priority, Clock::Step step)
      : event_(Event::create()), step_(std::move(step)) {
    thread_ = std::thread([this, name = std::string(name), priority] {
      name_this_thread(name);
      ThreadPriority raised(priority);
      run();
    });
  }

  ~ThreadTask() override {
    stopping_.store(true, std::memory_order_release);
    event_->signal();
    thread_.join();
  }

  void wake() noexcept override {
    woken_.store(true, std::memory_order_release);
    event_->signal();
  }

 private:
  void run() {
    int64_t next = monotonic_ns();
    while (!stopping_.load(std::memory_order_acquire)) {
      const int64_t now = monotonic_ns();
      if (woken_.exchange(false, std::memory_order_acq_rel) || now >= next) {
        next = step_(now);
      } else {
        event_->wait(next == kNever ? -1 : next - now);
      }
    }
  }

  std::unique_ptr<Event> event_;
  Clock::Step step_;
  std::atomic<bool> woken_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

class RealClock final : public Clock {
 public:
  int64_t now() const noexcept override { return monotonic_ns(); }
  std::unique_ptr<Task> start(const char* name, Priority priority, Step step) override {
    return std::make_unique<ThreadTask>(name, priority, std::move(step));
  }
};

}  // namespace

std::unique_ptr<Event> Event::create() { return std::make_unique<PlatformEvent>(); }

Clock& real_clock() {
  // Never destroyed: audio threads of an exiting process may still ask for the time.
  static RealClock& clock = *new RealClock;
  return clock;
}

#if defined(__linux__)

ThreadPriority::ThreadPriority(Priority priority) {
  if (priority != Priority::kAudio) return;
  constexpr int kPriority = 10;
  sched_param parameters{};
  parameters.sched_priority = kPriority;
  // SCHED_RESET_ON_FORK: a child the app forks must not inherit real-time scheduling.
  const int policy = SCHED_FIFO | SCHED_RESET_ON_FORK;
  answer_.granted = pthread_setschedparam(pthread_self(), policy, &parameters) == 0;
  if (answer_.granted) return;
  const int64_t thread = syscall(SYS_gettid);
  // The priority that is available at once; it matters only if RealtimeKit refuses.
  setpriority(PRIO_PROCESS, static_cast<id_t>(thread), -11);
  request_ = std::make_shared<RealtimeRequest>(thread, kPriority);
}

ThreadPriority::~ThreadPriority() {
  if (!answer_.granted && !request_) return;
  request_.reset();
  sched_param parameters{};
  pthread_setschedparam(pthread_self(), SCHED_OTHER, &parameters);
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 0);
}

ThreadPriority::Answer ThreadPriority::answer() const {
  return request_ ? request_->answer() : answer_;
}

#else

ThreadPriority::ThreadPriority(Priority priority) {
  if (priority != Priority::kAudio) return;
  answer_.granted = pthread_set_qos_class_self_np(QOS_CLASS_USER_INTERACTIVE, 0) == 0;
  if (!answer_.granted)
    answer_.why_not = "the system did not grant the quality-of-service class of the thread";
}

ThreadPriority::~ThreadPriority() {
  if (answer_.granted) pthread_set_qos_class_self_np(QOS_CLASS_DEFAULT, 0);
}

ThreadPriority::Answer ThreadPriority::answer() const { return answer_; }

#endif

}  // namespace patchcord
