// What a node has to tell JavaScript: small records from its audio thread, in order.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace patchcord {

enum class NodeEventType : uint8_t {
  kHole,        // the device lost frames; they became silence
  kAbsence,     // there was no device for so long; now there is
  kLeftOut,     // the stream's times step: the machine slept
  kStalled,     // the device delivers nothing
  kFlows,       // ... and does again
  kEnded,       // the stream has delivered its last frame
  kUnderrun,    // a sink or input had nothing to play
  kDrained,     // everything written has been handed to the device
  kPlayed,      // ... and has been heard
  kLowWater,    // there is room for more bytes
  kInputEnded,  // a live input's source ended and all of it was mixed
  kProgress,    // a filter has come further
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

// SPSC. Full: the event is dropped, the counters in stats() still hold it.
class NodeEvents {
 public:
  void push(const NodeEvent& event) noexcept {  // audio thread
    const uint32_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_.load(std::memory_order_acquire) == ring_.size()) return;
    ring_[head % ring_.size()] = event;
    head_.store(head + 1, std::memory_order_release);
  }
  bool pop(NodeEvent* event) noexcept {  // JS thread
    const uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == head_.load(std::memory_order_acquire)) return false;
    *event = ring_[tail % ring_.size()];
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

 private:
  std::array<NodeEvent, 128> ring_;
  std::atomic<uint32_t> head_{0};
  std::atomic<uint32_t> tail_{0};
};

// A counter with one writer, read by anyone.
class Counter {
 public:
  void add(uint64_t by) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  void set(uint64_t to) noexcept { value_.store(to, std::memory_order_relaxed); }
  operator uint64_t() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace patchcord
