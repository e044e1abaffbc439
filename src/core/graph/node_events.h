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
  kFlows,       // the device delivers again
  kEnded,       // the stream has delivered its last frame
  kPlayed,      // everything written has been heard
  kLowWater,    // there is room for more bytes
  kInputEnded,  // a live input's source ended and all of it is mixed
  kProgress,    // a filter has advanced
  kFill,        // a sink's device must hold more, or again as much as at its opening
  kMuted,       // the device was muted
  kUnmuted,     // the device is no longer muted
  kDead,        // the stream does not get its device's sound; `frames`: LifeSigns::Evidence
  kAlive,       // it does again
};

struct NodeEvent {
  NodeEventType type;
  uint64_t frame;
  uint64_t frames;
};

// States are bits that stay set until JavaScript takes them, so none is lost however long the event
// loop is blocked. Counted events wait in a ring. When the ring is full they are dropped, and the
// counters in stats() still include them. There is always room for steps of the times, because
// nothing else reports those.
class NodeEvents {
 public:
  // `wakeup` is woken after each event; null: events are only polled.
  explicit NodeEvents(std::shared_ptr<Wakeup> wakeup = nullptr) : wakeup_(std::move(wakeup)) {}

  // One thread at a time, usually the node's audio thread.
  void push(const NodeEvent& event) noexcept;
  // JS thread. Returns the events since the last call, in order; of each state, only the latest.
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
  uint64_t order_ = 0;  // of the last event; writer's side
  std::array<Ordered, kRing> ring_;
  std::atomic<uint32_t> head_{0};
  std::atomic<uint32_t> tail_{0};
  std::array<State, kStates> states_;
  std::atomic<uint32_t> set_{0};  // one bit for each state
};

}  // namespace patchcord
