// What a sink pulls when a live stream is linked straight to it. The newest frames of that stream
// are on their way when the sink asks, so it asks for older ones: by a lag that grows when they
// came too late all the same, and shrinks again when for long none did.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
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
    follow(static_cast<double>(frames) * 1e9 / when.rate);
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
  // What was to spare for so long is given back, slower than the input works off an error.
  static constexpr double kPatience = 10e9;
  static constexpr double kShrink = 0.3e-3;

  void follow(double elapsed) noexcept {
    const double shortfall = input_->take_shortfall();
    if (shortfall > 0) {
      lag_ = least_ = std::min(kMaxLag, lag_ + shortfall + kMargin);
      observed_ = 0;
      input_->take_spare();  // what was there before says nothing
      return;
    }
    observed_ += elapsed;
    if (observed_ >= kPatience) {
      const double spare = input_->take_spare();
      if (std::isfinite(spare)) {
        least_ = std::clamp(lag_ - (spare - kMargin), kFirstLag, lag_);
      }
      observed_ = 0;
    }
    lag_ = std::max(least_, lag_ - kShrink * elapsed);
  }

  const std::shared_ptr<LiveInput> input_;
  NodeEvents* const events_;
  Wakeup* const wakeup_;
  double lag_ = kFirstLag;
  double least_ = kFirstLag;  // that would have done of late
  double observed_ = 0;       // for how long
  std::atomic<double> lag_shown_{kFirstLag};
};

}  // namespace patchcord
