#include "node_events.h"

#include <algorithm>

namespace patchcord {
namespace {

bool is_state(NodeEventType type) { return type > NodeEventType::kLeftOut; }

}  // namespace

void NodeEvents::push(const NodeEvent& event) noexcept {
  ++order_;
  if (is_state(event.type)) {
    const auto at = static_cast<size_t>(event.type);
    State& state = states_[at];
    state.order.store(order_, std::memory_order_relaxed);
    state.frame.store(event.frame, std::memory_order_relaxed);
    state.frames.store(event.frames, std::memory_order_relaxed);
    set_.fetch_or(1u << at, std::memory_order_release);
  } else {
    const size_t room = event.type == NodeEventType::kLeftOut ? kRing : kRing - kKeptForSteps;
    const uint32_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_.load(std::memory_order_acquire) >= room) return;
    ring_[head % kRing] = {order_, event};
    head_.store(head + 1, std::memory_order_release);
  }
  if (wakeup_) wakeup_->wake();
}

std::vector<NodeEvent> NodeEvents::take() {
  std::vector<Ordered> taken;
  const uint32_t set = set_.exchange(0, std::memory_order_acquire);
  const uint32_t head = head_.load(std::memory_order_acquire);
  uint32_t tail = tail_.load(std::memory_order_relaxed);
  for (; tail != head; ++tail) taken.push_back(ring_[tail % kRing]);
  tail_.store(tail, std::memory_order_release);
  // If a state is set again meanwhile, its new frame may be read now, and the state is then taken
  // twice.
  for (size_t at = 0; at < kStates; ++at) {
    if ((set & (1u << at)) == 0) continue;
    const State& state = states_[at];
    taken.push_back({state.order.load(std::memory_order_relaxed),
                     {static_cast<NodeEventType>(at), state.frame.load(std::memory_order_relaxed),
                      state.frames.load(std::memory_order_relaxed)}});
  }
  std::sort(taken.begin(), taken.end(),
            [](const Ordered& one, const Ordered& other) { return one.order < other.order; });
  std::vector<NodeEvent> events;
  for (const Ordered& one : taken) events.push_back(one.event);
  return events;
}

}  // namespace patchcord
