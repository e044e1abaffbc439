// Any thread rings a bell, and the event loop answers it. One answer covers all rings before it.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "../core/graph/wakeup.h"
#include "loop_signal.h"

namespace patchcord {

class Bell final : public Wakeup {
 public:
  explicit Bell(std::shared_ptr<LoopSignal> signal) : signal_(std::move(signal)) {}

  void wake() noexcept override {  // any thread, audio threads too
    if (!rung_.exchange(true, std::memory_order_acq_rel)) signal_->send();
  }
  bool take() noexcept { return rung_.exchange(false, std::memory_order_acq_rel); }  // JS thread

 private:
  const std::shared_ptr<LoopSignal> signal_;
  std::atomic<bool> rung_{false};
};

}  // namespace patchcord
