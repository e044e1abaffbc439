// A live stream linked straight to a sink: a LiveInput, asked for what was heard some milliseconds
// before, as long as its packets need to get here.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>

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
    input_->pull(out, frames, {when.time - lag_, when.rate});
    const double shortfall = input_->take_shortfall();
    if (shortfall > 0) lag_ = std::min(kMaxLag, lag_ + shortfall + kMargin);
    lag_shown_.store(lag_, std::memory_order_relaxed);
    if (input_->take_end()) {
      events_->push({NodeEventType::kInputEnded, 0, 0});
      wakeup_->wake();
    }
  }

  double lag_ns() const { return lag_shown_.load(std::memory_order_relaxed); }

 private:
  static constexpr double kMargin = 5e6;
  // A 10 ms packet, a 10 ms pull: of two clocks that differ they meet in every phase, sooner or
  // later in the worst. Grows as needed.
  static constexpr double kFirstLag = 20e6 + kMargin;
  static constexpr double kMaxLag = 500e6;

  const std::shared_ptr<LiveInput> input_;
  NodeEvents* const events_;
  Wakeup* const wakeup_;
  double lag_ = kFirstLag;
  std::atomic<double> lag_shown_{kFirstLag};
};

}  // namespace patchcord
