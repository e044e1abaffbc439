// What a sink pulls when a live stream is linked straight to it. The newest frames of that stream
// are on their way when the sink asks, so it asks for older ones.
#pragma once

#include <memory>

#include "../time/lag.h"
#include "live_input.h"
#include "node_events.h"
#include "producer.h"
#include "pullable.h"

namespace patchcord {

class LaggedInput final : public Pullable {
 public:
  // `events` gets kInputEnded, followed by a wake.
  LaggedInput(std::shared_ptr<LiveInput> input, NodeEvents* events, Wakeup* wakeup)
      : input_(std::move(input)), events_(events), wakeup_(wakeup) {}

  void pull(float* out, size_t frames, const PullTime& when) noexcept override {
    input_->pull(out, frames, {when.time - lag_.ns(), when.rate, when.after_break});
    lag_.follow(static_cast<double>(frames) * 1e9 / when.rate, kFirstLag, input_->take_shortfall(),
                [this] { return input_->take_spare(); });
    if (input_->take_end()) {
      events_->push({NodeEventType::kInputEnded, 0, 0});
      wakeup_->wake();
    }
  }

  double lag_ns() const { return lag_.shown(); }

 private:
  // A 10 ms packet, a 10 ms pull: of two clocks that differ they meet in every phase, sooner or
  // later in the worst.
  static constexpr double kFirstLag = 20e6 + Lag::kMargin;

  const std::shared_ptr<LiveInput> input_;
  NodeEvents* const events_;
  Wakeup* const wakeup_;
  Lag lag_{kFirstLag};
};

}  // namespace patchcord
