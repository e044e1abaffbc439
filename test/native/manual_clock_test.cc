// The manual clock.
#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "../../src/core/time/clock.h"
#include "check.h"

using namespace patchcord;

namespace {

void advance(ManualClock& clock, int64_t by_ns) {
  std::promise<void> done;
  clock.advance(by_ns, [&] { done.set_value(); });
  done.get_future().wait();
}

}  // namespace

TEST("manual clock: steps run in the order of instant, then age") {
  const auto clock = ManualClock::create(0);
  std::vector<std::pair<char, int64_t>> log;
  const auto every = [&](char name, int64_t period) {
    return clock->start("t", Priority::kNormal, [&log, name, period](int64_t now) {
      log.push_back({name, now});
      return now + period;
    });
  };
  const auto a = every('a', 30);
  const auto b = every('b', 20);
  const auto c = every('c', 30);
  advance(*clock, 0);
  log.clear();
  advance(*clock, 60);
  const std::vector<std::pair<char, int64_t>> expected = {
      {'b', 20}, {'a', 30}, {'c', 30}, {'b', 40}, {'a', 60}, {'b', 60}, {'c', 60}};
  CHECK(log == expected);
  CHECK(clock->now() == 60);
}

TEST("manual clock: a wake runs at the present instant, also from within a step") {
  const auto clock = ManualClock::create(0);
  std::vector<std::pair<char, int64_t>> log;
  Clock::Task* other = nullptr;
  Clock::Task* self = nullptr;
  int turns = 0;
  const auto sleeper = clock->start("s", Priority::kNormal, [&](int64_t now) {
    log.push_back({'s', now});
    return kNever;
  });
  advance(*clock, 0);
  other = sleeper.get();
  const auto waker = clock->start("w", Priority::kNormal, [&](int64_t now) {
    log.push_back({'w', now});
    if (now == 10) {
      other->wake();
      if (++turns == 1) self->wake();
    }
    return now < 10 ? 10 : kNever;
  });
  advance(*clock, 0);
  self = waker.get();
  log.clear();
  advance(*clock, 50);
  // The sleeper is older, so it goes first when both are due.
  const std::vector<std::pair<char, int64_t>> expected = {
      {'w', 10}, {'s', 10}, {'w', 10}, {'s', 10}};
  CHECK(log == expected);
  sleeper->wake();
  advance(*clock, 0);
  CHECK(log.size() == 5 && log.back().second == 50);
}

TEST("manual clock: done is called on the clock's thread after all that was due, in order") {
  const auto clock = ManualClock::create(0);
  std::thread::id steps;
  int64_t last = 0;
  const auto task = clock->start("t", Priority::kNormal, [&](int64_t now) {
    steps = std::this_thread::get_id();
    last = now;
    return now + 7;
  });
  std::vector<int64_t> at;
  std::promise<void> finished;
  bool same_thread = true;
  for (int i = 0; i < 3; ++i) {
    clock->advance(10, [&, i] {
      same_thread = same_thread && steps == std::this_thread::get_id();
      at.push_back(clock->now());
      at.push_back(last);
      if (i == 2) finished.set_value();
    });
  }
  finished.get_future().wait();
  CHECK(same_thread);
  CHECK((at == std::vector<int64_t>{10, 7, 20, 14, 30, 28}));
}

TEST("manual clock: the end of a task waits for its running step") {
  const auto clock = ManualClock::create(0);
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<bool> finished{false};
  std::atomic<bool> ended{false};
  bool finished_first = false;
  auto task = clock->start("t", Priority::kNormal, [&](int64_t) {
    entered.set_value();
    leave.get_future().wait();
    finished = !ended;
    return kNever;
  });
  entered.get_future().wait();
  std::thread ender([&] {
    task.reset();
    finished_first = finished;
    ended = true;
  });
  leave.set_value();
  ender.join();
  CHECK(finished_first);
}

TEST("manual clock: a step may end another task") {
  const auto clock = ManualClock::create(0);
  int turns = 0;
  auto victim = clock->start("v", Priority::kNormal, [&](int64_t now) {
    ++turns;
    return now + 10;
  });
  advance(*clock, 0);
  const auto killer = clock->start("k", Priority::kNormal, [&](int64_t now) {
    if (now >= 25) victim.reset();
    return now < 25 ? 25 : kNever;
  });
  advance(*clock, 100);
  CHECK(turns == 3);
}

TEST("manual clock: ends with advances pending, which are dropped and not called") {
  const auto kept = std::make_shared<int>(0);
  std::promise<void> entered;
  std::promise<void> leave;
  auto clock = ManualClock::create(0);
  auto task = clock->start("t", Priority::kNormal, [&](int64_t now) {
    if (now == 10) {
      entered.set_value();
      leave.get_future().wait();
    }
    return now < 10 ? 10 : kNever;
  });
  for (int i = 0; i < 3; ++i) clock->advance(100, [kept] {});
  entered.get_future().wait();
  std::thread ender([&] { clock.reset(); });
  leave.set_value();
  ender.join();
  CHECK(kept.use_count() == 1);
  task->wake();  // it outlives its clock
  task.reset();
}

TEST("manual clock: ends on its own thread") {
  std::promise<void> gone;
  struct Signal {
    std::promise<void>& gone;
    ~Signal() { gone.set_value(); }
  };
  auto clock = ManualClock::create(0);
  int called = 0;
  clock->advance(1, [&] {
    ManualClock& last = *clock;
    for (int i = 0; i < 3; ++i) {
      last.advance(1, [&called, signal = std::shared_ptr<Signal>(i == 0 ? new Signal{gone}
                                                                        : nullptr)] { ++called; });
    }
    clock.reset();
  });
  gone.get_future().wait();
  CHECK(called == 0);
}
