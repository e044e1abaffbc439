// Connects a stream with its own clock to another clock: a mixer's input, a sink's link. It reads
// its queue at the position of the requested time, resampled by the ratio of the two clocks. Frames
// that are not there when they are requested become silence, which counts as this input's loss.
// When they arrive late they are skipped here; all other consumers get them in their place.
#pragma once

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "../signal/converter.h"
#include "../signal/fade.h"
#include "../time/lag.h"
#include "frame_queue.h"
#include "node_events.h"
#include "pullable.h"

namespace patchcord {

class LiveInput final : public Pullable {
 public:
  struct Stats {
    Counter starved_frames;  // requested but not there in time: silence was played instead
    Counter starvations;
    Counter resyncs;  // jumps: over 200 ms out of place, a first place that was wrong, or after a
                      // break of the destination
  };

  // Takes the producer's frames from `queue`; delivers `rate` and `channels`, or the channels of
  // `map`.
  LiveInput(std::shared_ptr<FrameQueue> queue, uint32_t rate, uint32_t channels,
            std::unique_ptr<ChannelMap> map = nullptr);

  // A 10 ms packet and a 10 ms pull: if the two clocks differ, they meet in every phase, sooner or
  // later in the worst.
  static constexpr double kUsualPeriods = 20e6;

  // Before the first pull. For a link straight into a sink: the newest frames are still on their
  // way when the sink pulls, so this input reads older ones, by its own lag. `events` receives
  // kInputEnded. `periods`: the longest packet and the longest pull together, ns.
  void follow_sink(std::shared_ptr<NodeEvents> events, double periods = kUsualPeriods);

  // Audio thread of the destination.
  void pull(float* out, size_t frames, const PullTime& when) noexcept override;
  // Whether pull() would find all frames: they are there, or never will be.
  bool certain(size_t frames, const PullTime& when) noexcept;
  // The frames replaced by silence, here or because the queue had no room, as far as the last pull
  // has shown: from that pull's frame `first` on (below 0: so many before it). Reading resets it.
  struct Loss {
    int64_t first = 0;
    uint64_t frames = 0;
  };
  Loss take_loss() noexcept { return std::exchange(loss_, {}); }

  // Audio thread. By how many ns the newest frames arrive too late: the destination's lag must grow
  // by that much so that this input does not starve. 0 if none are late. Reading resets it.
  double take_shortfall() noexcept;
  // Audio thread. How many ns sooner the destination could have pulled all the time since the last
  // call; infinite if there was nothing to pull. Reading resets it.
  double take_spare() noexcept;
  // returns true once
  bool take_end() noexcept { return ended_ && !std::exchange(end_told_, true); }

  // Any thread.
  // and all frames are delivered
  bool over() const { return ended_shown_.load(std::memory_order_relaxed); }
  size_t given() const {
    return given_;
  }  // for the last pull, when the stream is over: frames of the stream
  double lag_ns() const { return lag_ ? lag_->shown() : 0; }
  const Stats& stats() const { return stats_; }
  const std::shared_ptr<FrameQueue>& queue() const { return queue_; }
  // Frames that the queue lost since the first pull that got any.
  uint64_t lost_frames() const {
    const uint64_t lost = queue_->lost_frames();
    return lost - std::min(lost, lost_before_.load(std::memory_order_relaxed));
  }
  double ppm() const {
    return ppm_.load(std::memory_order_relaxed);
  }  // of its clock, relative to the destination's
  double offset_us() const {
    return offset_us_.load(std::memory_order_relaxed);
  }  // position error, ideally 0
  double rate() const {
    return rate_.load(std::memory_order_relaxed);
  }  // its true rate; 0: not known yet

 private:
  void read(float* out, size_t frames, const PullTime& when) noexcept;
  double wanted(const Record& newest, double time) const noexcept;
  double needed(double want, size_t frames) const noexcept;
  bool start(size_t frames, double want, bool fresh, double time) noexcept;
  bool began_wrong(double error, double time) noexcept;
  void starve(size_t frames, double time) noexcept;
  void skip_to(double frame, double want, double time) noexcept;
  size_t produce(float* out, size_t frames, size_t at) noexcept;
  void lose(int64_t first, uint64_t frames) noexcept;

  const std::shared_ptr<FrameQueue> queue_;
  const double in_rate_, out_rate_;
  const uint32_t out_channels_;
  Converter converter_;
  Fade fade_;                      // of the output
  Fade end_;                       // of the converter's input, after the end of the stream
  std::vector<float> behind_end_;  // memory for that
  bool running_ = false;
  bool started_before_ = false;
  std::atomic<uint64_t> lost_before_{UINT64_MAX};
  bool ended_ = false;
  bool end_told_ = false;
  size_t given_ = 0;
  uint64_t seen_ = UINT64_MAX;  // first frame of the newest record at the last pull
  uint64_t fed_ = 0;            // stream index after the last frame given to the converter
  size_t silent_tail_ = 0;
  double first_ = 0;    // requested time of the first frame of the present stream
  double started_ = 0;  // ... since it runs without a break
  // For the first second, in stream frames: an error that is too great, and one that has been too
  // great since a requested time; 0: there is none.
  double first_error_;
  double wrong_by_ = 0, wrong_since_ = 0;
  double shortfall_ = 0;
  double spare_ = std::numeric_limits<double>::infinity();
  double least_late_ = 0;
  int late_looks_ = 0;
  bool early_ = false;     // the next frames are for later
  bool starving_ = false;  // since it starved
  // Frames of silence, delivered while it was unknown whether there was sound.
  size_t quiet_frames_ = 0;
  Loss loss_;
  int recent_starvations_ = 0;
  double last_starvation_ = 0;
  std::unique_ptr<Lag> lag_;  // of a direct link
  double least_lag_ = 0;
  std::shared_ptr<NodeEvents> events_;
  std::atomic<bool> ended_shown_{false};
  Stats stats_;
  std::atomic<double> ppm_{0}, offset_us_{0}, rate_{0};
};

}  // namespace patchcord
