// Several captured streams, each with a clock of its own, as one: how the sound of a program that
// has many streams, or of many programs, becomes one timeline.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "../published.h"
#include "../time/clock.h"
#include "frame_queue.h"
#include "live_input.h"
#include "producer.h"
#include "source_node.h"
#include "tap_sums.h"

namespace patchcord {

// Its clock is the host's: frame k is what was heard `start` + k / rate. Each tap is a SourceNode,
// which makes its packets contiguous, and a LiveInput, which reads it at the time that the sum has
// come to: as sources that are piped into a mixer.
class TapSum final : private TapSums::Sum {
 public:
  // Told on the sum's audio thread, every period, without a gap. Must not block or allocate.
  class Output {
   public:
    // `samples` null: there is no tap. `time`: of the first frame, exact.
    virtual void on_sum(const float* samples, uint32_t frames, int64_t position,
                        int64_t time) noexcept = 0;

   protected:
    ~Output() = default;
  };

  // What one captured stream delivers to. One thread at a time.
  class Tap {
   public:
    Tap(Clock& clock, const Format& device, uint32_t rate, uint32_t channels);
    void packet(const void* data, uint32_t frames, int64_t position, int64_t time,
                bool discontinuity) noexcept {
      node_.packet(data, frames, position, time, discontinuity);
    }
    void idle() noexcept { node_.idle(); }
    const SourceNode& node() const { return node_; }

   private:
    friend class TapSum;
    class NoEvents final : public Wakeup {
      void wake() noexcept override {}  // whose stream it is looks at what is lost
    };
    NoEvents no_events_;
    SourceNode node_;
    std::shared_ptr<FrameQueue> queue_;
    LiveInput input_;
    std::atomic<bool> played_{false};  // and all of it is in the sum
  };

  TapSum(TapSums* sums, uint32_t rate, uint32_t channels, Output* output);
  ~TapSum() { stop(); }
  TapSum(const TapSum&) = delete;
  TapSum& operator=(const TapSum&) = delete;

  // One control thread at a time. When stop() returns the output is not called any more.
  void start();
  void stop() { sums_.remove(this); }

  // Any one thread that is no audio thread.
  std::shared_ptr<Tap> add(const Format& device);
  void end(const std::shared_ptr<Tap>& tap);  // when nothing delivers to it any more

  // Any thread: how long after it was heard a frame is given out, ns. Grows with the packets'
  // delay, by whole periods.
  int64_t lag() const { return lag_.load(std::memory_order_relaxed); }

 private:
  using Taps = std::vector<std::shared_ptr<Tap>>;

  void step(int64_t now) noexcept override;
  void sum(Taps& taps, size_t frames, double time) noexcept;
  void publish();
  int64_t time_of(int64_t frame) const noexcept;

  TapSums& sums_;
  const uint32_t rate_, channels_;
  Output* const output_;
  Taps taps_;  // the writer's
  Published<Taps> published_;
  std::vector<float> sum_, scratch_;
  int64_t start_ = 0;
  int64_t position_ = 0;
  std::atomic<int64_t> lag_;
};

}  // namespace patchcord
