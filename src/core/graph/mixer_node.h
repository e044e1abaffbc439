// The mixer: inputs come and go; they are aligned by the time at which they were recorded, summed
// and limited.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "../shown.h"
#include "../signal/fade.h"
#include "../signal/format.h"
#include "../signal/level_meter.h"
#include "../signal/limiter.h"
#include "../signal/recent.h"
#include "../time/anchor.h"
#include "../time/device_timing.h"
#include "../time/lag.h"
#include "input_controls.h"
#include "live_input.h"
#include "losses.h"
#include "node_events.h"
#include "producer.h"
#include "pullable.h"
#include "silence.h"
#include "written_input.h"

namespace patchcord {

class MixerNode final : public Pullable, public Producer {
 public:
  struct Config {
    uint32_t sample_rate = 48000;
    uint32_t channels = 2;
    double latency_ns = 30e6;  // least age of the mixed audio: packet + pull + scheduling
    bool limiter = true;
    double max_wait_ns = static_cast<double>(kMaxWait);  // for late audio, in addition to that
    bool host_clock = false;  // for a mix that no sink pulls, whatever its inputs' clocks do
    bool metered = true;      // JavaScript may read levels
    // After the last frame of its inputs nothing is mixed, until there is another input.
    bool ends_with_inputs = false;
    LimiterPeaks peaks = LimiterPeaks::kSamples;
  };

  // Called on the thread that mixes.
  class Listener {
   public:
    // Silence replaces sound that came too late in the mix: spans are disjoint and in order.
    virtual void on_replaced(uint64_t frame, uint64_t frames) noexcept = 0;
    // The same for frames that were not mixed at all. `filled`: silence replaces them; else the
    // times step.
    virtual void on_missed(uint64_t frame, uint64_t frames, bool filled) noexcept {
      (void)frame;
      (void)frames;
      (void)filled;
    }

   protected:
    ~Listener() = default;
  };

  // The audio of an input: nothing yet, a live stream, or written frames.
  struct Input {
    std::shared_ptr<InputControls> controls;
    std::shared_ptr<LiveInput> live;
    std::shared_ptr<WrittenInput> written;
    uint64_t connection = 0;  // a new number for each stream that the input gets
    std::shared_ptr<NodeEvents> events;
    uint64_t start_frame = 0;  // frame of the mix at which the first written frame lies
    double latency_ns = 0;  // least age of this live stream; the greatest one applies to all inputs
    bool ended = false;     // its stream has ended, and the input is empty
  };

  explicit MixerNode(const Config& config, Listener* listener = nullptr);

  // JS thread.
  void publish(std::vector<Input> inputs);
  // Before publish(): an input whose stream has ended is no longer in the list.
  void note_end() noexcept { some_ended_.store(true, std::memory_order_relaxed); }

  // Audio thread of the sink that drives: this thread mixes, from its first pull on until
  // release_driver(). It continues at the present frame of the mix.
  void pull(float* out, size_t frames, const PullTime& when) noexcept override;
  // JS thread, when the driving sink no longer pulls.
  void release_driver() noexcept {
    pulled_.store(false, std::memory_order_release);
    driver_changed_.store(true, std::memory_order_release);
  }

  // Mixes while no sink pulls, also until a linked sink begins to: the frames that are due by the
  // first live input's clock, else the host's. If no device plays the mix, it waits for late
  // inputs. Returns the next turn.
  int64_t pump(int64_t now) noexcept;
  // Before the first pump(): the first frame is the sound recorded at `time`, not the sound that is
  // due then. No effect on a mix that has begun.
  void begin_at(int64_t time) noexcept;
  // While neither a driver nor a pump runs: mixes everything that is due now, without waiting.
  void flush(int64_t now) noexcept;

  // JS thread, no driver: written inputs only, as fast as the slowest consumer reads. Mixes up to
  // `frames` for the consumers; returns how many it could mix without waiting for a writer or a
  // reader.
  size_t mix_written(size_t frames) noexcept;
  // JS thread, no driver: whether all inputs have ended and everything is mixed. The mix has
  // exactly the length of its longest input.
  bool written_out() noexcept;

  // JS thread, while no driver runs: the mix ends here, or where its last input has ended.
  void finish() noexcept;

  const Config& config() const { return config_; }
  Anchor anchor() const { return anchor_.load(); }
  const LevelMeter& meter() const { return meter_; }
  uint64_t position() const { return position_; }
  double lag_ns() const { return lag_.shown(); }
  double latency_ns() const {  // of the output, including the limiter's delay
    return lag_ns() + static_cast<double>(delay_frames()) * 1e9 / config_.sample_rate;
  }
  double lowest_limiter_gain() const { return limiter_ ? limiter_->lowest_gain() : 1; }
  uint64_t skipped_frames() const { return skipped_; }
  // Reported by on_replaced, or by on_missed with `filled`.
  uint64_t lost_frames() const { return lost_; }

 private:
  enum class Pace { kClock, kWriters };
  size_t take_over(const PullTime& when) noexcept;
  bool make_good(const PullTime& when) noexcept;
  int64_t mix_due(int64_t now, bool waits, int most_blocks) noexcept;
  void prepare(bool live) noexcept;
  double pump_rate() noexcept;
  bool certain(size_t frames, const PullTime& when) noexcept;
  bool is_worth_waiting(double due, int64_t now) noexcept;
  bool has_held_input() noexcept;
  double least_lag(const std::vector<Input>& inputs) const noexcept;
  void mix_live(float* out, size_t frames, const PullTime& when) noexcept;
  void mix_at(float* out, size_t frames, const PullTime& content) noexcept;
  void count_losses(const std::vector<Input>& inputs) noexcept;
  void settle_losses() noexcept;
  void replaced(uint64_t frame, uint64_t frames) noexcept;
  void mix(std::vector<Input>& inputs, Pace pace, uint64_t frame, float* out, size_t frames,
           const PullTime& when) noexcept;
  static size_t wait_of(const Input& input, uint64_t frame, size_t frames) noexcept;
  void let_go(const std::vector<Input>& inputs) noexcept;
  void miss(uint64_t frames, bool filled) noexcept;
  void follow_ends(const Input& input) noexcept;
  bool all_ended(const std::vector<Input>& inputs) const noexcept;
  bool has_ended() noexcept;
  void go_on() noexcept;
  void deliver_mixed(float* samples, Record record, bool ended) noexcept;
  size_t ready_frames(std::vector<Input>& inputs, bool* ending) noexcept;
  uint64_t delay_frames() const { return limiter_ ? limiter_->latency_frames() : 0; }
  // The frame of the mix at which the next sum comes out.
  uint64_t next_frame() const { return position_ + rested_ + delay_frames() - head_; }

  const Config config_;
  Listener* const listener_;
  Published<std::vector<Input>> inputs_;
  std::unique_ptr<Limiter> limiter_;
  LevelMeter meter_;
  std::vector<float> scratch_, pumped_;
  Recent mixed_, gone_;  // the sum of the inputs, and of those that left
  Fade went_;            // of inputs that left in the middle of their sound
  Fade missed_;          // of the mix, before frames that were not mixed
  Fade driven_;          // of the driver's output: the driver may have been silent meanwhile
  uint64_t turn_ = 0;
  size_t heard_ = 0;    // inputs in the last turn
  bool quiet_ = false;  // all of them were silent in it
  Lag lag_;             // pull time minus the time of the mixed audio
  double content_next_ = 0;
  std::atomic<bool> pulled_{false};  // a sink pulls: pump() has nothing to do
  std::atomic<bool> driver_changed_{true};
  // Held by the thread that mixes. A sink's first pull may meet the last block of pump(), and does
  // not wait for it.
  std::atomic_flag mixing_ = ATOMIC_FLAG_INIT;
  size_t silence_left_ = 0;  // frames of silence for a new driver before the mix continues
  bool pumped_last_ = false;
  Losses losses_;
  uint64_t lost_at_ = 0;  // the mix's frame when the last loss was seen
  // For pump(): its next turn, its first turn after a long pause, and the last time that it found
  // an input whose system did not answer.
  int64_t next_turn_ = kNever, resumed_at_ = 0, answered_at_ = 0;
  bool held_ = false;        // it waits for one of these
  size_t head_ = 0;          // frames of the limiter's delay still to drop
  uint64_t inputs_end_ = 0;  // frame of the mix at which its last input has ended
  uint64_t rested_ = 0;      // frames since then that are not in the mix
  double rests_since_ = 0;   // the time of the first of them
  std::atomic<bool> some_ended_{false};
  // mix_written's state, in frames.
  uint64_t fed_ = 0;    // mixed, given to the limiter
  uint64_t given_ = 0;  // taken from it
  uint64_t end_ = 0;    // end of the longest input, once all are ending
  Counter position_, skipped_, lost_;
  Shown<Anchor> anchor_;
};

}  // namespace patchcord
