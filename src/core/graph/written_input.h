// Frames that JavaScript writes: queued, and played at the pace of whoever pulls.
#pragma once

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "../signal/channel_map.h"
#include "../signal/format.h"
#include "../signal/resampler.h"
#include "node_events.h"
#include "producer.h"
#include "pullable.h"

namespace patchcord {

class WrittenInput final : public Pullable {
 public:
  struct Stats {
    Counter written_frames;   // in the written format
    Counter played_frames;    // in the written format
    Counter underruns;        // the queue ran dry although the writer had more to give
    Counter underrun_frames;  // silence played for it, at the destination's rate
  };

  // Frames of `format` in, `rate` and `channels` (or the map's) out. `events` gets kUnderrun,
  // kLowWater, kDrained, each followed by `wake`.
  struct Config {
    Format format;
    uint32_t rate = 48000;
    uint32_t channels = 2;
    uint32_t buffer_frames = 24000;  // of the written format: what write() takes ahead
    uint32_t start_frames = 0;       // fill to reach before playing begins
  };
  WrittenInput(const Config& config, std::unique_ptr<ChannelMap> map, NodeEvents* events,
               Wakeup* wakeup);

  // JS thread.
  size_t write(const void* data,
               size_t frames) noexcept;  // frames taken; fewer: wait for kLowWater
  void set_pending(bool more) noexcept { pending_.store(more, std::memory_order_release); }
  void end() noexcept { ended_.store(true, std::memory_order_release); }
  // Frames of each format, this one's and of what follows it.
  size_t queued() const noexcept {
    const WrittenInput* const next = following();
    return own_queued() + (next != nullptr ? next->queued() : 0);
  }
  // JS thread. What is queued is not played: it is faded out over so many frames of the
  // destination's rate, and what is written from now on comes next.
  void clear(uint32_t ramp_frames) noexcept;
  // JS thread, once and last: `next` is played behind the last frame, without a gap.
  void follow_with(std::shared_ptr<WrittenInput> next) noexcept {
    next_ = std::move(next);
    end();
  }
  // What was given to follow_with(), null before. JS thread, and whoever has seen its end.
  WrittenInput* following() const noexcept { return closing() ? next_.get() : nullptr; }

  // Puller's thread (an audio thread, or the JS thread when nothing is live).
  void pull(float* out, size_t frames, const PullTime& when) noexcept override;
  bool idle() const noexcept {  // nothing to play; what was written is out
    const WrittenInput* const next = finished_ ? following() : nullptr;
    return next != nullptr ? next->idle() : idle_;
  }
  bool closing() const noexcept { return ended_.load(std::memory_order_acquire); }
  bool take_end() noexcept {  // true once: end() was called and everything is out
    return finished_ && next_ == nullptr && !std::exchange(end_told_, true);
  }
  // Output frames that pull() can make without silence; once end() was called, all that are left.
  size_t ready_frames() const noexcept;

  const Config& config() const { return config_; }
  const Stats& stats() const { return stats_; }

 private:
  size_t own_queued() const noexcept {
    return static_cast<size_t>(head_.load(std::memory_order_acquire) -
                               tail_.load(std::memory_order_acquire));
  }
  size_t discard(float* out, size_t frames) noexcept;
  size_t produce(float* out, size_t frames) noexcept;
  size_t left_inside(uint64_t queued) const noexcept;

  const Config config_;
  const uint32_t in_channels_;
  std::unique_ptr<ChannelMap> map_;
  std::unique_ptr<Resampler> resampler_;
  NodeEvents* const events_;
  Wakeup* const wakeup_;
  std::vector<float> ring_, mapped_;
  const size_t mask_;
  alignas(64) std::atomic<uint64_t> head_{0};
  alignas(64) std::atomic<uint64_t> tail_{0};
  std::atomic<bool> pending_{false};
  std::atomic<bool> ended_{false};
  std::shared_ptr<WrittenInput> next_;      // set before ended_ is, never again
  std::atomic<uint64_t> clear_to_{0};       // what is before this frame is not played
  std::atomic<uint32_t> clear_ramp_{0};     // set before clear_to_ is
  uint64_t cleared_ = 0;                    // the clear_to_ that the puller knows
  size_t ramp_left_ = 0, ramp_length_ = 0;  // of its fade
  bool idle_ = true;
  bool low_told_ = true;
  bool finished_ = false;
  bool end_told_ = false;
  uint64_t taken_ = 0;   // input frames given to the resampler
  uint64_t made_ = 0;    // output frames made of them
  uint64_t waited_ = 0;  // output frames for which nothing came while it waits for start_frames
  size_t waiting_fill_ = 0;
  size_t fade_position_ = 0;
  const size_t fade_length_;
  std::vector<float> last_;
  Stats stats_;
};

}  // namespace patchcord
