// A stream's fan-out. Every consumer has its own queue, so a slow one loses only its own audio.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "../published.h"
#include "receiver.h"
#include "wakeup.h"

namespace patchcord {

class Producer {
 public:
  // Writer thread (the environment's own). The consumer's first frame is the next one produced. If
  // the stream is over, its end is reported at once.
  void attach(std::shared_ptr<Receiver> receiver, std::shared_ptr<Wakeup> wakeup) {
    auto next = std::make_unique<std::vector<Consumer>>();
    if (consumers_.get() != nullptr) *next = *consumers_.get();
    const Consumer consumer{std::move(receiver), std::move(wakeup),
                            std::make_shared<std::atomic<bool>>(false)};
    next->push_back(consumer);
    consumers_.exchange(std::move(next));
    // The consumer is published before over_ is read; deliver_end() sets over_ before it reads the
    // consumers. So at least one of the two sees the other.
    if (over_) end(consumer);
  }

  // Writer thread. After it returns the producer no longer uses the receiver.
  void detach(const Receiver* receiver) {
    if (consumers_.get() == nullptr) return;
    auto next = std::make_unique<std::vector<Consumer>>(*consumers_.get());
    next->erase(
        std::remove_if(next->begin(), next->end(),
                       [receiver](const Consumer& one) { return one.receiver.get() == receiver; }),
        next->end());
    consumers_.exchange(std::move(next));
  }

  // Producer thread: see Receiver::live().
  bool has_live_consumer() const noexcept {
    typename Published<std::vector<Consumer>>::Reading all(consumers_);
    return all && std::any_of(all->begin(), all->end(),
                              [](const Consumer& one) { return one.receiver->live(); });
  }

  bool has_consumers() const { return consumers_.get() != nullptr && !consumers_.get()->empty(); }

 protected:
  ~Producer() = default;

  // Producer thread: how many frames every consumer could take now; 0 if there are no consumers.
  size_t consumer_room() noexcept {
    typename Published<std::vector<Consumer>>::Reading all(consumers_);
    if (!all || all->empty()) return 0;
    size_t room = SIZE_MAX;
    for (const Consumer& one : *all) room = std::min(room, one.receiver->room());
    return room;
  }

  // Producer thread.
  void deliver(const float* samples, const Record& record) noexcept {
    typename Published<std::vector<Consumer>>::Reading all(consumers_);
    if (!all) return;
    for (const Consumer& one : *all) {
      one.receiver->push(samples, record);
      if (one.wakeup != nullptr && one.receiver->take_awaited()) one.wakeup->wake();
    }
  }

  // Producer thread: see Receiver::hold().
  void hold_consumers(bool held) noexcept {
    typename Published<std::vector<Consumer>>::Reading all(consumers_);
    if (!all) return;
    for (const Consumer& one : *all) one.receiver->hold(held);
  }

  // Producer thread: see Receiver::rest().
  void rest_consumers(bool rests) noexcept {
    typename Published<std::vector<Consumer>>::Reading all(consumers_);
    if (!all) return;
    for (const Consumer& one : *all) one.receiver->rest(rests);
  }

  // Producer thread, or any thread once it has stopped.
  void deliver_end() noexcept {
    over_ = true;
    typename Published<std::vector<Consumer>>::Reading all(consumers_);
    if (!all) return;
    for (const Consumer& one : *all) end(one);
  }

 private:
  struct Consumer {
    std::shared_ptr<Receiver> receiver;
    // Null for a link inside the engine, which fetches by its own clock.
    std::shared_ptr<Wakeup> wakeup;
    std::shared_ptr<std::atomic<bool>> ended;  // set by the thread that ends it first
  };

  static void end(const Consumer& consumer) noexcept {
    if (consumer.ended->exchange(true, std::memory_order_acq_rel)) return;
    consumer.receiver->end();
    if (consumer.wakeup != nullptr) consumer.wakeup->wake();
  }

  mutable Published<std::vector<Consumer>> consumers_;
  std::atomic<bool> over_{false};
};

}  // namespace patchcord
