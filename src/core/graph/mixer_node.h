// The mixer: inputs come and go, aligned by the time at which they were heard, summed, limited.
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
    double latency_ns = 30e6;  // least age of what is mixed: packet + pull + scheduling
    bool limiter = true;
    double max_wait_ns = static_cast<double>(kMaxWait);  // for what is late, beyond that
    bool host_clock = false;  // of a mix that no sink pulls, whatever its inputs' clocks do
    bool metered = true;      // somebody may ask for levels
    // Behind the last frame of its inputs nothing is mixed, until there is another input.
    bool ends_with_inputs = false;
    LimiterPeaks peaks = LimiterPeaks::kSamples;
  };

  // Told on the thread that mixes.
  class Listener {
   public:
    // Silence stands in the mix for sound that came too late: spans are disjoint and in order.
    virtual void on_replaced(uint64_t frame, uint64_t frames) noexcept = 0;
    // The same for frames that nobody could mix. `filled`: silence stands for them; else the times
    // step.
    virtual void on_missed(uint64_t frame, uint64_t frames, bool filled) noexcept {
      (void)frame;
      (void)frames;
      (void)filled;
    }

   protected:
    ~Listener() = default;
  };

  // What an input plays: nothing yet, a live stream, or written frames.
  struct Input {
    std::shared_ptr<InputControls> controls;
    std::shared_ptr<LiveInput> live;
    std::shared_ptr<WrittenInput> written;
    uint64_t connection = 0;  // another number for each that the input had
    std::shared_ptr<NodeEvents> events;
    uint64_t start_frame = 0;  // of the mix: there lies the first written frame
    double latency_ns = 0;     // least age of this live stream; all inputs keep to the greatest
    bool ended = false;        // nothing is in it any more, because that has ended
  };

  explicit MixerNode(const Config& config, Listener* listener = nullptr);

  // JS thread.
  void publish(std::vector<Input> inputs);
  // Before publish(): an input whose stream has ended is no longer among them.
  void note_end() noexcept { some_ended_.store(true, std::memory_order_relaxed); }

  // Audio thread of the sink that drives: from its first pull on, and until release_driver(), it is
  // the one who mixes. It continues where the mix is.
  void pull(float* out, size_t frames, const PullTime& when) noexcept override;
  // JS thread, when the sink that drove pulls no more.
  void release_driver() noexcept {
    pulled_.store(false, std::memory_order_release);
    driver_changed_.store(true, std::memory_order_release);
  }

  // Who mixes as long as no sink pulls, also until one that is linked begins to: what is due by the
  // first live input's clock, else the host's. Where no device hears the mix, it waits for inputs
  // that are late. Returns the next turn.
  int64_t pump(int64_t now) noexcept;
  // Before the first pump(): the first frame is what was heard then, not what is due then. No
  // effect on a mix that has begun.
  void begin_at(int64_t time) noexcept;
  // When no driver and no pump run: all that is due now is mixed, nothing is waited for any more.
  void flush(int64_t now) noexcept;

  // JS thread, no driver: written inputs only, as fast as the slowest consumer reads. Mixes up to
  // `frames` for the consumers; returns how many it could without waiting for a writer or a reader.
  size_t mix_written(size_t frames) noexcept;
  // JS thread, no driver: all inputs have ended and all of it is mixed. The mix has exactly the
  // length of its longest input.
  bool written_out() noexcept;

  // JS thread, when no driver runs: the mix ends here, or where its last input has ended.
  void finish() noexcept;

  const Config& config() const { return config_; }
  Anchor anchor() const { return anchor_.load(); }
  const LevelMeter& meter() const { return meter_; }
  uint64_t position() const { return position_; }
  double lag_ns() const { return lag_.shown(); }
  double latency_ns() const {  // of what comes out: the limiter's delay is in it
    return lag_ns() + static_cast<double>(delay_frames()) * 1e9 / config_.sample_rate;
  }
  double lowest_limiter_gain() const { return limiter_ ? limiter_->lowest_gain() : 1; }
  uint64_t skipped_frames() const { return skipped_; }
  // Told as on_replaced, or as on_missed and filled.
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
  // Where in the mix the frame comes out that is summed next.
  uint64_t next_frame() const { return position_ + rested_ + delay_frames() - head_; }

  const Config config_;
  Listener* const listener_;
  Published<std::vector<Input>> inputs_;
  std::unique_ptr<Limiter> limiter_;
  LevelMeter meter_;
  std::vector<float> scratch_, pumped_;
  Recent mixed_, gone_;  // the sum of the inputs, and of those that left
  Fade went_;            // of inputs that went in the middle of their sound
  Fade missed_;          // of the mix, where nobody could mix it
  Fade driven_;          // of what the driver gets: it may have been silent meanwhile
  uint64_t turn_ = 0;
  size_t heard_ = 0;    // inputs, in the last turn
  bool quiet_ = false;  // nothing was heard in it
  Lag lag_;             // pull time less the time of what is mixed
  double content_next_ = 0;
  std::atomic<bool> pulled_{false};  // by a sink: pump() has nothing to do
  std::atomic<bool> driver_changed_{true};
  // Held by who mixes. A sink's first pull may meet the last block of pump(), which is not waited
  // for.
  std::atomic_flag mixing_ = ATOMIC_FLAG_INIT;
  size_t silence_left_ = 0;  // frames that a new driver hears before the mix goes on
  bool pumped_last_ = false;
  Losses losses_;
  uint64_t lost_at_ = 0;  // the mix' frame when the last loss was seen
  // Of pump(): when it is to be called again, when it was after it had not been for long, and when
  // it last found an input whose system did not answer.
  int64_t next_turn_ = kNever, resumed_at_ = 0, answered_at_ = 0;
  bool held_ = false;        // it waits for one
  size_t head_ = 0;          // frames of the limiter's delay still to be dropped
  uint64_t inputs_end_ = 0;  // where in the mix the last of its inputs has ended
  uint64_t rested_ = 0;      // frames since then that are not in the mix
  double rests_since_ = 0;   // the time of the first of them
  std::atomic<bool> some_ended_{false};
  // mix_written's state, in frames.
  uint64_t fed_ = 0;    // mixed, into the limiter
  uint64_t given_ = 0;  // out of it
  uint64_t end_ = 0;    // where the longest input ends, once all are ending
  Counter position_, skipped_, lost_;
  Shown<Anchor> anchor_;
};

}  // namespace patchcord
