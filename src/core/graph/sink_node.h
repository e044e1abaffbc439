// A render stream in the engine. When the device requests frames, the sink pulls them from
// upstream.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "../published.h"
#include "../shown.h"
#include "../signal/converter.h"
#include "../signal/fade.h"
#include "../signal/format.h"
#include "../signal/level_meter.h"
#include "../signal/limiter.h"
#include "../signal/loudness_normalizer.h"
#include "../time/anchor.h"
#include "../time/clock.h"
#include "../time/fill.h"
#include "../time/rate_tracker.h"
#include "../time/steady_rate.h"
#include "node_events.h"
#include "pullable.h"
#include "written_queue.h"

namespace patchcord {

// Converts pulled frames to another rate and channel count, by a fixed ratio: the mixer runs on the
// sink's clock, so there is no drift between them.
class RateAdapter final : public Pullable {
 public:
  RateAdapter(std::shared_ptr<Pullable> upstream, uint32_t in_rate, uint32_t in_channels,
              uint32_t out_rate, uint32_t out_channels);
  void pull(float* out, size_t frames, const PullTime& when) noexcept override;

 private:
  const std::shared_ptr<Pullable> upstream_;
  const double ratio_;  // in per out
  Converter converter_;
  std::vector<float> in_;
  size_t in_at_ = 0, in_filled_ = 0;  // frames of in_ pulled and not yet consumed
};

// The processing of a sink, applied to everything before the device gets it.
struct SinkProcessing {
  bool normalize = false;  // normalizes to the loudness of speech; includes a limiter
  bool limiter = false;
};

class SinkNode {
 public:
  // Counted in frames of format().
  struct Stats {
    Counter rendered_frames;
    Counter silent_frames;     // nothing was linked or written
    Counter discarded_frames;  // requested while there was no device
    Counter underruns;         // underruns of the device
    Counter underrun_frames;
  };

  explicit SinkNode(Clock& clock,
                    std::shared_ptr<NodeEvents> events = std::make_shared<NodeEvents>(),
                    const SinkProcessing& processing = {})
      : clock_(clock), events_(std::move(events)), processing_(processing) {}

  // Control thread, before a device runs. The format of the first device stays the format of the
  // pulls; frames for a later device are converted. The device can hold `most_more` ns more than it
  // was opened with.
  void open(const Format& device, int64_t most_more = 0);

  // JS thread. Written audio is played before linked audio; null: nothing.
  void publish(std::shared_ptr<WrittenQueue> written, std::shared_ptr<Pullable> linked);

  // Audio thread.
  void render(void* data, uint32_t frames, int64_t play_time) noexcept;
  // Like RenderListener::on_underrun.
  void underrun(uint32_t frames, bool here) noexcept;
  // Any thread: like RenderListener::more_fill.
  int64_t more_fill() const noexcept { return static_cast<int64_t>(fill_.shown()); }
  // The clock's thread, about every 10 ms while there is no device: continues to pull upstream at
  // the pace of the last one, so that written audio drains and a mixer continues.
  void absent() noexcept;

  // Any thread.
  Format format() const { return format_shown_.load(); }  // rate 0: no device was opened yet
  Clock& clock() { return clock_; }
  const Stats& stats() const { return stats_; }
  uint64_t position() const { return stats_.rendered_frames; }  // of format()
  Anchor anchor() const { return anchor_.load(); }
  Level level() const noexcept {
    const LevelMeter* const meter = meter_shown_.load(std::memory_order_acquire);
    return meter != nullptr ? meter->snapshot().overall : Level{0, 0};
  }
  // from the pull to the moment when it is heard
  double lead_ns() const { return lead_shown_.load(std::memory_order_relaxed); }
  // The part of it inside the normalizer or the limiter.
  double held_ns() const { return held_shown_.load(std::memory_order_relaxed); }
  // ns until the device has played the last sound that it got; 0: it has.
  double sounds_for_ns() const {
    return std::max(
        0.0, sounds_until_.load(std::memory_order_relaxed) - static_cast<double>(clock_.now()));
  }
  double drift_ppm() const { return drift_ppm_.load(std::memory_order_relaxed); }
  const std::shared_ptr<NodeEvents>& events() const { return events_; }

 private:
  struct Upstream {
    std::shared_ptr<WrittenQueue> written;
    std::shared_ptr<Pullable> linked;
    uint64_t written_number = 0, linked_number = 0;  // a new number for each that there was
  };

  // The output of upstream, in format().
  class Upper final : public Pullable {
   public:
    explicit Upper(SinkNode* node) : node_(*node) {}
    void pull(float* out, size_t frames, const PullTime& when) noexcept override {
      node_.fill(out, frames, when);
    }

   private:
    SinkNode& node_;
  };

  void follow_lead(double now, double lead, uint32_t frames) noexcept;
  double lead() const noexcept { return lead_ + fill_.more(); }
  size_t pause(double asked, double rate, uint32_t frames) noexcept;
  void fill(float* out, size_t frames, const PullTime& when) noexcept;
  void advance(uint32_t frames, double played, double rate) noexcept;
  void tell_played() noexcept;

  Clock& clock_;
  const std::shared_ptr<NodeEvents> events_;
  const SinkProcessing processing_;
  std::unique_ptr<LoudnessNormalizer> normalizer_;
  std::unique_ptr<Limiter> limiter_;
  double held_frames_ = 0;  // inside these two, in format()
  Format format_{0, 0, SampleFormat::kF32};
  Format device_;
  std::shared_ptr<Pullable> source_;  // gives the device's rate and channels
  double ratio_ = 1;                  // frames of format() per device frame
  double first_ = 0;                  // the frame of format() that is this device's frame 0
  std::unique_ptr<RateTracker> device_tracker_, arrival_tracker_;
  RateTracker* tracker_ = nullptr;  // the tracker in use
  std::unique_ptr<SteadyRate> rate_;
  bool stamps_ = false;  // the device has reported a play time
  int unstamped_ = 0;
  std::unique_ptr<LevelMeter> meter_;  // from the first device on
  Published<Upstream> upstream_;
  uint64_t numbers_ = 0;  // JS thread
  bool due_ = false;      // the last fill() had something to play
  uint64_t playing_ = 0;  // the number of the upstream that plays; 0: none
  std::vector<float> block_;
  Fade fade_;             // of upstream
  Fade device_fade_;      // of the device's audio: the device may have been silent meanwhile
  uint64_t frame_ = 0;    // the device's
  bool emptied_ = false;  // the last written frame was taken in this turn
  uint64_t drained_ = 0;  // the device frame after that; 0: reported
  int settling_ = 0;
  double lead_ = 0;  // with the fill that the device was opened with
  Fill fill_;
  double next_ = 0;           // time of the next frame to pull from upstream
  bool pausing_ = false;      // the device's fill has grown: upstream stands still meanwhile
  uint64_t paused_ = 0;       // frames of format() of that silence; 0: reported
  uint64_t paused_from_ = 0;  // position() at its beginning
  double woken_ = 0;          // the last wake; one wake may make several requests
  double elsewhere_ = 0;      // since when the lead differs; 0: it does not
  bool after_break_ = false;  // the device was silent, and has not reported its position since
  Stats stats_;
  Shown<Anchor> anchor_;
  // Values that JavaScript may read before there was a device.
  Shown<Format> format_shown_{Format{0, 0, SampleFormat::kF32}};
  std::atomic<const LevelMeter*> meter_shown_{nullptr};
  std::atomic<double> sounds_until_{0};
  std::atomic<double> lead_shown_{0}, held_shown_{0}, drift_ppm_{0};
};

}  // namespace patchcord
