// Frames written by JavaScript: they are queued, and played at the pace of the pulls.
#pragma once

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "../signal/converter.h"
#include "../signal/fade.h"
#include "../signal/format.h"
#include "node_events.h"
#include "pullable.h"

namespace patchcord {

class WrittenInput final : public Pullable {
 public:
  struct Stats {
    Counter written_frames;  // in the written format
    Counter played_frames;   // in the written format
    Counter underruns;  // the queue was empty although the writer had more to give, or soon had
    // At the destination's rate: silence in underruns, and while nothing was written.
    Counter underrun_frames, silent_frames;
  };

  // Converts frames of `format` to `rate` and `channels` (or the map's). `events` receives
  // kUnderrun and kLowWater.
  struct Config {
    Format format;
    uint32_t rate = 48000;
    uint32_t channels = 2;
    uint32_t buffer_frames = 24000;  // in the written format: how much write() takes ahead
    uint32_t start_frames = 0;       // the fill at which playing begins
    uint32_t channel_mask = 0;       // the speakers of the written channels, see ChannelMap
  };
  WrittenInput(const Config& config, std::unique_ptr<ChannelMap> map,
               std::shared_ptr<NodeEvents> events);

  // JS thread.
  size_t write(const void* data,
               size_t frames) noexcept;  // returns the frames taken; if fewer, wait for kLowWater
  void set_pending(bool more) noexcept { pending_.store(more, std::memory_order_release); }
  void end() noexcept { ended_.store(true, std::memory_order_release); }
  size_t queued() const noexcept {  // frames; any thread
    return static_cast<size_t>(head_.load(std::memory_order_acquire) -
                               tail_.load(std::memory_order_acquire));
  }
  // JS thread. Discards the queued audio: it is faded out over so many frames of the destination's
  // rate, and audio written from now on follows.
  void clear(uint32_t ramp_frames) noexcept;
  // Puller's thread (an audio thread, or the JS thread when nothing is live).
  void pull(float* out, size_t frames, const PullTime& when) noexcept override;
  // Like pull(), but after end() it gives only the rest. Returns the number of frames.
  size_t pull_rest(float* out, size_t frames, const PullTime& when) noexcept;
  bool idle() const noexcept { return idle_; }  // nothing to play; all written audio is out
  // Any thread: end() was called and everything is out.
  bool finished() const noexcept { return finished_.load(std::memory_order_acquire); }
  // Puller's thread: the frames of the last pull() that were not padding after the end.
  size_t given() const noexcept { return given_; }
  bool closing() const noexcept { return ended_.load(std::memory_order_acquire); }
  bool take_end() noexcept {  // true once: end() was called and everything is out
    return finished() && !std::exchange(end_told_, true);
  }
  // Output frames that pull() can make without silence; after end(), all that are left.
  size_t ready_frames() const noexcept;

  // The audio that has left the queue and is still in the converter.
  double held_ns() const noexcept { return converter_.delay_ns(); }

  const Config& config() const { return config_; }
  const Stats& stats() const { return stats_; }

 private:
  size_t discard(float* out, size_t frames) noexcept;
  void run_dry(float* out, size_t frames, double at) noexcept;
  void judge_gap(bool underrun, double end) noexcept;
  size_t produce(float* out, size_t frames) noexcept;
  size_t left_inside(uint64_t queued) const noexcept;

  const Config config_;
  const uint32_t in_channels_;
  Converter converter_;
  const std::shared_ptr<NodeEvents> events_;
  std::vector<float> ring_;
  const size_t mask_;
  alignas(64) std::atomic<uint64_t> head_{0};
  alignas(64) std::atomic<uint64_t> tail_{0};
  std::atomic<bool> pending_{false};
  std::atomic<bool> ended_{false};
  std::atomic<uint64_t> clear_to_{0};       // frames before this one are not played
  std::atomic<uint32_t> clear_ramp_{0};     // set before clear_to_ is
  uint64_t cleared_ = 0;                    // the clear_to_ that the puller has handled
  size_t ramp_left_ = 0, ramp_length_ = 0;  // of that fade
  bool idle_ = true;
  bool low_told_ = true;
  std::atomic<bool> finished_{false};
  bool end_told_ = false;
  size_t given_ = 0;
  uint64_t taken_ = 0;   // input frames given to the converter
  uint64_t made_ = 0;    // output frames made of them
  uint64_t waited_ = 0;  // output frames without input while it waits for start_frames
  size_t waiting_fill_ = 0;
  bool gap_ = false;         // silence since an underrun, for which the writer may only be late
  uint64_t gap_frames_ = 0;  // frames of it that are not counted yet
  bool awaited_ = false;     // ... and the writer had more to give
  bool gap_counted_ = false;
  Fade fade_;
  Stats stats_;
};

}  // namespace patchcord
