// Where a stream with a clock of its own meets another clock: a mixer's input, a sink's link. It
// reads its queue at the place that the asked time demands, resampled by the ratio of the two
// clocks. What is not there when it is asked for it replaces by silence, and counts that as its own
// loss; the late frames are left out here, and are in their place for everyone else.
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
    Counter starved_frames;  // asked for but not there in time: silence was played instead
    Counter starvations;
    Counter resyncs;  // jumps: over 200 ms out of place, a first place that was wrong, or after a
                      // break of the destination
  };

  // Takes the producer's frames from `queue`; gives `rate` and `channels`, or the channels of
  // `map`.
  LiveInput(std::shared_ptr<FrameQueue> queue, uint32_t rate, uint32_t channels,
            std::unique_ptr<ChannelMap> map = nullptr);

  // A 10 ms packet and a 10 ms pull: of two clocks that differ they meet in every phase, sooner or
  // later in the worst.
  static constexpr double kUsualPeriods = 20e6;

  // Before the first pull. For a link straight into a sink: the newest frames are on their way when
  // the sink asks, so it asks for older ones, by a lag of its own. `events` gets kInputEnded.
  // `periods`: the longest packet and the longest pull together, ns.
  void follow_sink(std::shared_ptr<NodeEvents> events, double periods = kUsualPeriods);

  // Audio thread of the destination.
  void pull(float* out, size_t frames, const PullTime& when) noexcept override;
  // Whether pull() would find all of it: the frames are there, or never will be.
  bool certain(size_t frames, const PullTime& when) noexcept;
  // What was replaced by silence, here or because the queue had no room, as far as the last pull
  // has shown: from that pull's frame `first` on (below 0: so many before it). Reading it resets
  // it.
  struct Loss {
    int64_t first = 0;
    uint64_t frames = 0;
  };
  Loss take_loss() noexcept { return std::exchange(loss_, {}); }

  // Audio thread. How many ns later than asked the newest frames arrive: what the destination's lag
  // must grow by so that this input is not starved. 0 while all is well. Reading it resets it.
  double take_shortfall() noexcept;
  // Audio thread. How many ns sooner the destination could have asked all the time since the last
  // call; infinite when nothing was there to be asked. Reading it resets it.
  double take_spare() noexcept;
  bool take_end() noexcept { return ended_ && !std::exchange(end_told_, true); }  // true once

  // Any thread.
  bool over() const { return ended_shown_.load(std::memory_order_relaxed); }  // and all is given
  size_t given() const {
    return given_;
  }  // of the last pull: frames of the stream, when it is over
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
  }  // of its clock against the destination's
  double offset_us() const {
    return offset_us_.load(std::memory_order_relaxed);
  }  // position error, ideally 0
  double rate() const {
    return rate_.load(std::memory_order_relaxed);
  }  // its true rate, 0: unknown yet

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
  Fade fade_;                      // of what is given
  Fade end_;                       // of what the converter gets, behind the end of the stream
  std::vector<float> behind_end_;  // in that
  bool running_ = false;
  bool started_before_ = false;
  std::atomic<uint64_t> lost_before_{UINT64_MAX};
  bool ended_ = false;
  bool end_told_ = false;
  size_t given_ = 0;
  uint64_t seen_ = UINT64_MAX;  // first frame of the newest record at the last pull
  uint64_t fed_ = 0;            // stream index behind the last frame given to the converter
  size_t silent_tail_ = 0;
  double first_ = 0;    // asked time of the first frame since it is this stream
  double started_ = 0;  // ... since it runs
  // In the first second, in its frames: an error that is too much, and one that has been too much
  // since an asked time; 0: none is.
  double first_error_;
  double wrong_by_ = 0, wrong_since_ = 0;
  double shortfall_ = 0;
  double spare_ = std::numeric_limits<double>::infinity();
  double least_late_ = 0;
  int late_looks_ = 0;
  bool early_ = false;     // what comes next is for later
  bool starving_ = false;  // since it ran dry
  // Of silence, given where it is not known yet whether that was sound.
  size_t quiet_frames_ = 0;
  Loss loss_;
  int recent_starvations_ = 0;
  double last_starvation_ = 0;
  std::unique_ptr<Lag> lag_;  // of a link
  double least_lag_ = 0;
  std::shared_ptr<NodeEvents> events_;
  std::atomic<bool> ended_shown_{false};
  Stats stats_;
  std::atomic<double> ppm_{0}, offset_us_{0}, rate_{0};
};

}  // namespace patchcord
