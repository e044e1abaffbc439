// Sums several captured streams, each with its own clock, into one timeline: for a program that has
// several streams, or for several programs.
#pragma once

#include <memory>
#include <vector>

#include "../time/clock.h"
#include "frame_queue.h"
#include "live_input.h"
#include "mixer_node.h"
#include "source_node.h"
#include "tap_sums.h"

namespace patchcord {

// A mixer on the host's clock: frame k was recorded at `start` + k / rate. Each tap is a
// SourceNode, which makes its packets contiguous, and a LiveInput, which reads it. They work like
// sources piped into a mixer that no sink pulls.
class TapSum final : private TapSums::Sum, private MixerNode::Listener {
 public:
  // Called on the sum's audio thread. It must not block or allocate.
  class Output {
   public:
    // In order. Missing frames were skipped, because the machine stood still. `samples` null: there
    // is no tap. `time`: of the first frame, exact.
    virtual void on_sum(const float* samples, uint32_t frames, int64_t position,
                        int64_t time) noexcept = 0;
    // Silence replaced sound that came too late.
    virtual void on_replaced(int64_t position, uint64_t frames) noexcept = 0;
    // The sum waits for taps of a system that does not answer.
    virtual void on_unanswered() noexcept = 0;
    // Whether a device plays the sum: then it does not wait for late taps.
    virtual bool live() const noexcept = 0;

   protected:
    ~Output() = default;
  };

  // The destination of one captured stream. One thread at a time.
  class Tap {
   public:
    Tap(Clock& clock, const Format& device, uint32_t rate, uint32_t channels, int64_t max_wait);
    void packet(const void* data, uint32_t frames, int64_t position, int64_t time,
                bool discontinuity) noexcept {
      node_.packet(data, frames, position, time, discontinuity);
    }
    void idle(bool quiet) noexcept { node_.idle(quiet); }
    void unanswered() noexcept { node_.unanswered(); }
    const SourceNode& node() const { return node_; }

   private:
    friend class TapSum;
    SourceNode node_;
    MixerNode::Input input_;
  };

  TapSum(TapSums* sums, uint32_t rate, uint32_t channels, Output* output,
         int64_t max_wait = kMaxWait);
  ~TapSum() { stop(); }
  TapSum(const TapSum&) = delete;
  TapSum& operator=(const TapSum&) = delete;

  // One control thread at a time. After stop() returns, the output is not called any more.
  void start();
  void stop() { sums_.remove(this); }

  // Any one thread except audio threads.
  std::shared_ptr<Tap> add(const Format& device);
  void end(const std::shared_ptr<Tap>& tap);  // after the last delivery to it

  // Any thread: the least time from recording to output, ns. Grows with the packets' delay, and
  // shrinks again.
  int64_t lag() const { return static_cast<int64_t>(mixer_.lag_ns()); }

 private:
  // Receives the mixer's output.
  class Link final : public Receiver {
   public:
    explicit Link(Output* output) : output_(*output) {}
    void push(const float* samples, const Record& record) noexcept override;
    void end() noexcept override {}
    size_t room() const noexcept override { return SIZE_MAX; }
    bool live() const noexcept override { return output_.live(); }
    void hold(bool held) noexcept override {
      if (held) output_.on_unanswered();
    }

   private:
    Output& output_;
  };

  void step(int64_t now) noexcept override { mixer_.pump(now); }
  void on_replaced(uint64_t frame, uint64_t frames) noexcept override {
    output_.on_replaced(static_cast<int64_t>(frame), frames);
  }
  void publish();

  TapSums& sums_;
  const uint32_t rate_, channels_;
  const int64_t max_wait_;
  Output& output_;
  MixerNode mixer_;
  std::vector<std::shared_ptr<Tap>> taps_;  // writer's side
  uint64_t connections_ = 0;
};

}  // namespace patchcord
