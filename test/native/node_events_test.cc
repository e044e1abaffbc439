// The reports of a node while the event loop is blocked.
#include "../../src/core/graph/node_events.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "check.h"

using namespace patchcord;

TEST("states are reported however many counted events came before them") {
  NodeEvents events;
  for (uint64_t i = 0; i < 1000; ++i) events.push({NodeEventType::kHole, i, 1});
  for (uint64_t i = 0; i < 1000; ++i) events.push({NodeEventType::kProgress, i, 0});
  events.push({NodeEventType::kLowWater, 7, 0});
  events.push({NodeEventType::kLeftOut, 8, 48000});
  events.push({NodeEventType::kEnded, 9, 0});
  const std::vector<NodeEvent> taken = events.take();
  size_t holes = 0;
  while (holes < taken.size() && taken[holes].type == NodeEventType::kHole) ++holes;
  CHECK(holes > 0);
  CHECK(taken.size() == holes + 4);
  CHECK(taken[holes].type == NodeEventType::kProgress && taken[holes].frame == 999);
  CHECK(taken[holes + 1].type == NodeEventType::kLowWater);
  CHECK(taken[holes + 2].type == NodeEventType::kLeftOut && taken[holes + 2].frames == 48000);
  CHECK(taken[holes + 3].type == NodeEventType::kEnded && taken[holes + 3].frame == 9);
  CHECK(events.take().empty());
}

TEST("states that follow each other are reported in their order, each once") {
  NodeEvents events;
  for (int i = 0; i < 3; ++i) {
    events.push({NodeEventType::kMuted, 1, 0});
    events.push({NodeEventType::kUnmuted, 2, 0});
  }
  events.push({NodeEventType::kDead, 3, 2});
  std::vector<NodeEvent> taken = events.take();
  CHECK(taken.size() == 3);
  CHECK(taken[0].type == NodeEventType::kMuted);
  CHECK(taken[1].type == NodeEventType::kUnmuted);
  CHECK(taken[2].type == NodeEventType::kDead && taken[2].frames == 2);
  events.push({NodeEventType::kUnmuted, 4, 0});
  events.push({NodeEventType::kMuted, 5, 0});
  taken = events.take();
  CHECK(taken.size() == 2 && taken.back().type == NodeEventType::kMuted);
}

TEST(
    "events that are taken while others arrive are all taken, and the last state is never missed") {
  class Bell final : public Wakeup {
   public:
    void wake() noexcept override { rung.store(true, std::memory_order_release); }
    std::atomic<bool> rung{false};
  };
  const auto bell = std::make_shared<Bell>();
  NodeEvents events(bell);
  constexpr uint64_t kHoles = 50000;
  std::atomic<uint64_t> seen{0};
  std::thread audio([&] {
    for (uint64_t i = 0; i < kHoles; ++i) {
      while (i > seen.load(std::memory_order_acquire) + 50) std::this_thread::yield();
      events.push({NodeEventType::kHole, i, 1});
      events.push({NodeEventType::kLowWater, i, 0});
    }
    events.push({NodeEventType::kEnded, kHoles, 0});
  });
  bool ended = false;
  uint64_t low = 0;
  while (!ended) {
    while (!bell->rung.exchange(false, std::memory_order_acquire)) std::this_thread::yield();
    for (const NodeEvent& event : events.take()) {
      if (event.type == NodeEventType::kHole) {
        CHECK(event.frame == seen.load(std::memory_order_relaxed));
        seen.fetch_add(1, std::memory_order_release);
      }
      if (event.type == NodeEventType::kLowWater) low = event.frame;
      ended |= event.type == NodeEventType::kEnded;
    }
  }
  audio.join();
  CHECK(seen.load() == kHoles);
  CHECK(low == kHoles - 1);
}
