// What core/time/clock.h leaves to the platform, for POSIX systems.
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
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

// A semaphore, because sem_post takes no lock: an audio thread may signal.
class PosixEvent final : public Event {
 public:
  PosixEvent() { sem_init(&semaphore_, 0, 0); }
  ~PosixEvent() override { sem_destroy(&semaphore_); }

  void signal() noexcept override {
    if (!signalled_.exchange(true, std::memory_order_acq_rel)) sem_post(&semaphore_);
  }

  void wait(int64_t timeout_ns) noexcept override {
    if (timeout_ns < 0) {
      while (sem_wait(&semaphore_) != 0 && errno == EINTR) {
      }
    } else {
      // sem_clockwait needs glibc 2.30, later than what Node 20 asks for; sem_timedwait counts on
      // the wall clock, so a step of it can shorten or lengthen this one wait.
      timespec deadline;
      clock_gettime(CLOCK_REALTIME, &deadline);
      const int64_t ns = deadline.tv_nsec + timeout_ns % kNsPerSecond;
      deadline.tv_sec += timeout_ns / kNsPerSecond + ns / kNsPerSecond;
      deadline.tv_nsec = ns % kNsPerSecond;
      int result;
      do {
        result = sem_timedwait(&semaphore_, &deadline);
      } while (result != 0 && errno == EINTR);
      if (result != 0) return;
    }
    // Read-modify-write, so that what a signaller wrote before a signal() that found the flag
    // already set is visible here.
    signalled_.exchange(false, std::memory_order_acq_rel);
  }

 private:
  sem_t semaphore_;
  std::atomic<bool> signalled_{false};
};

class ThreadTask final : public Clock::Task {
 public:
  ThreadTask(const char* name, Priority priority, Clock::Step step)
      : event_(Event::create()), step_(std::move(step)) {
    thread_ = std::thread([this, name = std::string(name).substr(0, 15), priority] {
      pthread_setname_np(pthread_self(), name.c_str());
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

std::unique_ptr<Event> Event::create() { return std::make_unique<PosixEvent>(); }

Clock& real_clock() {
  // Never destroyed: audio threads of an exiting process may still ask for the time.
  static RealClock& clock = *new RealClock;
  return clock;
}

ThreadPriority::ThreadPriority(Priority priority) {
  if (priority != Priority::kAudio) return;
  sched_param parameters{};
  parameters.sched_priority = 10;
  // SCHED_RESET_ON_FORK: a child the app forks must not inherit real-time scheduling.
  if (pthread_setschedparam(pthread_self(), SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) == 0) {
    raised_ = true;
    return;
  }
  raised_ = setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), -11) == 0;
}

ThreadPriority::~ThreadPriority() {
  if (!raised_) return;
  sched_param parameters{};
  pthread_setschedparam(pthread_self(), SCHED_OTHER, &parameters);
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 0);
}

}  // namespace patchcord
