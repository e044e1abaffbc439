// A clock whose time moves only on request. One worker thread runs every step, so the order of all
// steps depends only on (instant, age of the task).
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "clock.h"

namespace patchcord {
namespace {

int64_t later(int64_t now, int64_t by) { return by > kNever - now ? kNever : now + by; }

// The state shared by the clock, its tasks and its thread. The last of them frees it. So a task may
// outlive its clock (it then never runs again), and the clock may be destroyed on its own thread.
class Schedule {
 public:
  struct Entry {
    Clock::Step step;
    int64_t due;
  };

  explicit Schedule(int64_t start) : now_(start) {}

  int64_t now() const noexcept { return now_.load(std::memory_order_acquire); }

  void add(Entry* entry) {
    std::lock_guard<std::mutex> lock(mutex_);
    entries_.push_back(entry);  // appended, so always in order of age
    changed_.notify_all();
  }

  void wake(Entry* entry) noexcept {
    std::lock_guard<std::mutex> lock(mutex_);
    entry->due = std::min(entry->due, now());
    changed_.notify_all();
  }

  void remove(Entry* entry) {
    std::unique_lock<std::mutex> lock(mutex_);
    entries_.erase(std::find(entries_.begin(), entries_.end(), entry));
    // If a step ends the life of another task, this runs on the worker itself, and no other step
    // runs.
    if (std::this_thread::get_id() == worker_) return;
    changed_.wait(lock, [&] { return running_ != entry; });
  }

  void advance(int64_t by, bool asleep, std::function<void()> done) {
    std::lock_guard<std::mutex> lock(mutex_);
    advances_.push_back({std::max<int64_t>(by, 0), asleep, kNever, std::move(done)});
    changed_.notify_all();
  }

  void end() {
    std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  // Runs until the clock ends.
  void run() {
    std::unique_lock<std::mutex> lock(mutex_);
    worker_ = std::this_thread::get_id();
    for (;;) {
      Entry* const next = earliest();
      if (next != nullptr && next->due <= now()) {
        run_step(next, lock);
      } else if (ended_) {
        break;
      } else if (advances_.empty()) {
        changed_.wait(lock);
      } else {
        move_time(next, lock);
      }
    }
    // Calls that are still pending will never complete. They are freed without the lock, because
    // what they own may call back into the clock.
    std::deque<Advance> abandoned = std::move(advances_);
    lock.unlock();
  }

 private:
  struct Advance {
    int64_t by;
    bool asleep;    // no step runs until then
    int64_t until;  // set when its turn comes
    std::function<void()> done;
  };

  Entry* earliest() const {
    Entry* first = nullptr;
    for (Entry* entry : entries_) {
      if (first == nullptr || entry->due < first->due) first = entry;
    }
    return first;
  }

  void run_step(Entry* entry, std::unique_lock<std::mutex>& lock) {
    running_ = entry;
    entry->due = kNever;  // a wake() from here on means another turn
    lock.unlock();
    const int64_t next = entry->step(now());
    lock.lock();
    running_ = nullptr;
    const bool alive = std::find(entries_.begin(), entries_.end(), entry) != entries_.end();
    if (alive) entry->due = std::min(entry->due, next);
    changed_.notify_all();  // remove() may wait for the end of this step
  }

  void move_time(const Entry* next, std::unique_lock<std::mutex>& lock) {
    Advance& front = advances_.front();
    if (front.until == kNever) {
      front.until = later(now(), front.by);
      if (front.asleep) {
        now_.store(front.until, std::memory_order_release);
        return;  // some tasks are overdue
      }
    }
    if (next != nullptr && next->due <= front.until) {
      now_.store(next->due, std::memory_order_release);
      return;
    }
    now_.store(front.until, std::memory_order_release);
    std::function<void()> done = std::move(front.done);
    advances_.pop_front();
    lock.unlock();
    if (done) done();
    done = nullptr;  // freed without the lock, because it may own the clock's owner
    lock.lock();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<int64_t> now_;
  std::vector<Entry*> entries_;
  std::deque<Advance> advances_;
  Entry* running_ = nullptr;
  std::thread::id worker_;
  bool ended_ = false;
};

class ManualTask final : public Clock::Task {
 public:
  ManualTask(std::shared_ptr<Schedule> schedule, Clock::Step step)
      : schedule_(std::move(schedule)), entry_{std::move(step), schedule_->now()} {
    schedule_->add(&entry_);
  }
  ~ManualTask() override { schedule_->remove(&entry_); }
  void wake() noexcept override { schedule_->wake(&entry_); }

 private:
  std::shared_ptr<Schedule> schedule_;
  Schedule::Entry entry_;
};

class WorkerClock final : public ManualClock {
 public:
  explicit WorkerClock(int64_t start)
      : schedule_(std::make_shared<Schedule>(start)),
        worker_([schedule = schedule_] { schedule->run(); }) {}

  ~WorkerClock() override { end(); }

  int64_t now() const noexcept override { return schedule_->now(); }

  std::unique_ptr<Task> start(const char*, Priority, Step step) override {
    return std::make_unique<ManualTask>(schedule_, std::move(step));
  }

  void advance(int64_t by_ns, std::function<void()> done) override {
    schedule_->advance(by_ns, false, std::move(done));
  }

  void end() override {
    schedule_->end();
    if (!worker_.joinable()) return;
    // `done` may hold the last reference to the clock.
    if (worker_.get_id() == std::this_thread::get_id()) {
      worker_.detach();
    } else {
      worker_.join();
    }
  }

  void pass_asleep(int64_t by_ns, std::function<void()> done) override {
    schedule_->advance(by_ns, true, std::move(done));
  }

 private:
  std::shared_ptr<Schedule> schedule_;
  std::thread worker_;
};

}  // namespace

std::unique_ptr<ManualClock> ManualClock::create(int64_t start_ns) {
  return std::make_unique<WorkerClock>(start_ns);
}

}  // namespace patchcord
