// The only source of time and the only way to wait for it. All time-dependent code in core and the
// backends takes a Clock, so that a simulated hour runs in seconds and gives the same result each
// time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "sleep_log.h"

namespace patchcord {

constexpr int64_t kNever = INT64_MAX;
constexpr int64_t kNoTime = INT64_MIN;  // stands for an unknown time
constexpr int64_t kNsPerMs = 1000000;
constexpr int64_t kNsPerSecond = 1000000000;

// A wake-up that is remembered: signal() before wait() makes wait() return at once; several signals
// count as one. signal() neither locks nor allocates, so an audio thread may call it.
class Event {
 public:
  virtual ~Event() = default;
  virtual void signal() noexcept = 0;
  // Returns when signalled, or after `timeout_ns` (negative: without limit).
  virtual void wait(int64_t timeout_ns) noexcept = 0;

  static std::unique_ptr<Event> create();  // defined by the platform (src/backend/platform_*.cc)
};

enum class Priority { kNormal, kAudio };

class Clock {
 public:
  virtual ~Clock() = default;

  // Nanoseconds. The real clock is the one of process.hrtime(). Any thread.
  virtual int64_t now() const noexcept = 0;

  // The part of the machine's sleep that this clock counts (all of it on Windows, none on Linux).
  SleepLog& sleep_log() noexcept { return sleep_log_; }

  // A repeated activity. `step(now)` does what is due and returns the instant of its next turn
  // (kNever: only when woken). Under the real clock each task has its own thread; under the manual
  // clock all steps run on one thread in the order of (instant, age of the task).
  class Task {
   public:
    virtual ~Task() = default;  // waits until a running step has returned; never call from a step
    virtual void
    // runs step as soon as possible; any thread, lock-free under the real clock
    wake() noexcept = 0;
  };
  using Step = std::function<int64_t(int64_t now)>;
  virtual std::unique_ptr<Task> start(const char* name, Priority priority, Step step) = 0;

 private:
  SleepLog sleep_log_;
};

// The clock that all code of the process shares; defined by the platform.
Clock& real_clock();

class RealtimeRequest;

// Gives the calling thread real-time priority until the object is destroyed. If the system refuses,
// the thread keeps its priority; that is not an error. Defined by the platform (MMCSS "Pro Audio";
// SCHED_FIFO, or RealtimeKit).
class ThreadPriority {
 public:
  struct Answer {
    bool granted = false;
    std::string why_not;  // half a sentence: the reason for the refusal
  };

  explicit ThreadPriority(Priority priority);
  ~ThreadPriority();
  ThreadPriority(const ThreadPriority&) = delete;
  ThreadPriority& operator=(const ThreadPriority&) = delete;

  // May wait for the system for up to two seconds. Any thread, except an audio thread that has
  // begun to serve a device.
  Answer answer() const;

 private:
  Answer answer_;
  void* handle_ = nullptr;
  std::shared_ptr<RealtimeRequest> request_;  // the request whose answer is still missing
};

// A clock whose time moves only in `advance`, which any thread may call and which returns at once.
// The clock's thread calls `done` when every step due up to the new instant has run.
class ManualClock : public Clock {
 public:
  virtual void advance(int64_t by_ns, std::function<void()> done) = 0;
  // The same for a machine that sleeps: no step runs meanwhile; steps that were due run at the end.
  virtual void pass_asleep(int64_t by_ns, std::function<void()> done) = 0;
  // Ends the clock's time: steps due at the present instant still run, later ones never do. Calls
  // of advance() that are under way are cancelled. Not from a step.
  virtual void end() = 0;
  static std::unique_ptr<ManualClock> create(int64_t start_ns = kNsPerSecond);
};

}  // namespace patchcord
