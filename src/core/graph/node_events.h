// The reports of a node to JavaScript.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "../counter.h"
#include "wakeup.h"

namespace patchcord {

enum class NodeEventType : uint8_t {
  // Counted: JavaScript gets each of them.
  kHole,      // the device lost frames; they became silence
  kAbsence,   // there was no device for so long; now there is
  kUnderrun,  // a sink or input had nothing to play
  kLeftOut,   // the stream's times step: the machine slept
  // States: JavaScript gets the latest of each kind.
  kStalled,     // the device delivers nothing
  kFlows,       // ... and does again
  kEnded,       // the stream has delivered its last frame
  kPlayed,      // everything written has been heard
  kLowWater,    // there is room for more bytes
  kInputEnded,  // a live input's source ended and all of it was mixed
  kProgress,    // a filter has come further
  kFill,        // a sink's device is to hold more, or as much as it was opened with again
  kMuted,       // the device was muted
  kUnmuted,     // ... and no longer is
  kDead,        // the stream does not hear its device; `frames`: LifeSigns::Evidence
  kAlive,       // ... and does again
};

struct NodeEvent {
  NodeEventType type;
  uint64_t frame;
  uint64_t frames;
};

// States are bits that stay set until they are taken: however long the event loop is blocked, none
// is lost. Counted events wait in a ring. When the ring is full they are dropped, and the counters
// in stats() still hold them; only for steps of the times, which nothing else tells, there is
// always room kept.
class NodeEvents {
 public:
  // `wakeup` is woken after each event; null: nobody waits for them.
  explicit NodeEvents(std::shared_ptr<Wakeup> wakeup = nullptr) : wakeup_(std::move(wakeup)) {}

  // One thread at a time, the node's audio thread as a rule.
  void push(const NodeEvent& event) noexcept;
  // JS thread. What happened since the last call, in its order; of a state the latest.
  std::vector<NodeEvent> take();

 private:
  static constexpr size_t kRing = 128;
  static constexpr size_t kKeptForSteps = 16;
  static constexpr size_t kStates = static_cast<size_t>(NodeEventType::kAlive) + 1;

  struct Ordered {
    uint64_t order;
    NodeEvent event;
  };
  struct State {
    std::atomic<uint64_t> order{0}, frame{0}, frames{0};
  };

  const std::shared_ptr<Wakeup> wakeup_;
  uint64_t order_ = 0;  // of the last event; the writer's
  std::array<Ordered, kRing> ring_;
  std::atomic<uint32_t> head_{0};
  std::atomic<uint32_t> tail_{0};
  std::array<State, kStates> states_;
  std::atomic<uint32_t> set_{0};  // one bit a state
};

}  // namespace patchcord
