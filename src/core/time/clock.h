// The only source of time and the only way to wait for it. Everything in core and the backends that
// depends on time takes a Clock, so that a simulated hour runs in seconds and twice the same.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "sleep_log.h"

namespace patchcord {

constexpr int64_t kNever = INT64_MAX;
constexpr int64_t kNoTime = INT64_MIN;  // in the place of a time that is not known
constexpr int64_t kNsPerMs = 1000000;
constexpr int64_t kNsPerSecond = 1000000000;

// A wake-up that is remembered: signal() before wait() makes wait() return at once; several signals
// count as one. signal() neither locks nor allocates and may be called by an audio thread.
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

  // Of the sleep that this clock counts (Windows' does, Linux' stands still).
  SleepLog& sleep_log() noexcept { return sleep_log_; }

  // One activity in time. `step(now)` does what is due and returns the instant of its next turn
  // (kNever: only when woken). Under the real clock each task has a thread of its own; under the
  // manual clock all steps run on one thread in the order of (instant, age of the task).
  class Task {
   public:
    virtual ~Task() = default;  // waits until a running step has returned; never call from a step
    virtual void
    wake() noexcept = 0;  // runs step as soon as possible; any thread, lock-free when real
  };
  using Step = std::function<int64_t(int64_t now)>;
  virtual std::unique_ptr<Task> start(const char* name, Priority priority, Step step) = 0;

 private:
  SleepLog sleep_log_;
};

// Shared by everything in the process; defined by the platform.
Clock& real_clock();

class RealtimeRequest;

// Gives the calling thread real-time priority, where it may have it, until the object goes. Refusal
// is not an error. Defined by the platform (MMCSS "Pro Audio"; SCHED_FIFO, or RealtimeKit).
class ThreadPriority {
 public:
  struct Answer {
    bool granted = false;
    std::string why_not;  // half a sentence
  };

  explicit ThreadPriority(Priority priority);
  ~ThreadPriority();
  ThreadPriority(const ThreadPriority&) = delete;
  ThreadPriority& operator=(const ThreadPriority&) = delete;

  // May wait for the system, for two seconds at most. Any thread but an audio thread that has begun
  // to serve a device.
  Answer answer() const;

 private:
  Answer answer_;
  void* handle_ = nullptr;
  std::shared_ptr<RealtimeRequest> request_;  // what the answer is still to come from
};

// Time that moves only when told to. `advance` may be called from any thread and returns at once;
// `done` is called on the clock's thread when every step due up to the new instant has run.
class ManualClock : public Clock {
 public:
  virtual void advance(int64_t by_ns, std::function<void()> done) = 0;
  // The same for a machine that sleeps: nothing runs meanwhile, what was due runs at the end.
  virtual void pass_asleep(int64_t by_ns, std::function<void()> done) = 0;
  // What is due at the present instant still runs, then no step does any more: time has ended.
  // Advances that are under way are given up. Not from a step.
  virtual void end() = 0;
  static std::unique_ptr<ManualClock> create(int64_t start_ns = kNsPerSecond);
};

}  // namespace patchcord
