#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "../../src/core/time/clock.h"
#include "check.h"

using namespace patchcord;

namespace {

int64_t waited(Event& event, int64_t timeout_ns) {
  const int64_t start = real_clock().now();
  event.wait(timeout_ns);
  return real_clock().now() - start;
}

}  // namespace

TEST("a wait without a signal lasts as long as it may") {
  const std::unique_ptr<Event> event = Event::create();
  CHECK(waited(*event, 20 * kNsPerMs) >= 20 * kNsPerMs);
  CHECK(waited(*event, 0) < kNsPerSecond);
  // After a timeout the event is as new: a signal is remembered, and only once.
  event->signal();
  event->signal();
  CHECK(waited(*event, 10 * kNsPerSecond) < 5 * kNsPerSecond);
  CHECK(waited(*event, 20 * kNsPerMs) >= 20 * kNsPerMs);
}

TEST("a signal ends a wait without a limit") {
  const std::unique_ptr<Event> event = Event::create();
  std::thread signaller([&] {
    const std::unique_ptr<Event> pause = Event::create();
    pause->wait(20 * kNsPerMs);
    event->signal();
  });
  CHECK(waited(*event, -1) < 10 * kNsPerSecond);
  signaller.join();
}

// Values written before signal() are visible after wait(), and no signal is lost: the reader ends
// with the last number of every writer.
TEST("nothing that was signalled is missed") {
  constexpr int kWriters = 3, kNumbers = 20000;
  const std::unique_ptr<Event> event = Event::create();
  std::atomic<int> numbers[kWriters] = {};
  std::vector<std::thread> writers;
  for (std::atomic<int>& number : numbers) {
    writers.emplace_back([&] {
      for (int i = 1; i <= kNumbers; ++i) {
        number.store(i, std::memory_order_relaxed);
        event->signal();
      }
    });
  }
  const auto sum = [&] {
    int total = 0;
    for (std::atomic<int>& number : numbers) total += number.load(std::memory_order_relaxed);
    return total;
  };
  int missed = 0;
  while (sum() < kWriters * kNumbers && missed == 0) {
    if (waited(*event, 10 * kNsPerSecond) >= 10 * kNsPerSecond) ++missed;
  }
  CHECK(missed == 0);
  for (std::thread& writer : writers) writer.join();
}
