// Turns what a live producer writes from JavaScript into a live stream: the time of each piece is
// that of its write.
#pragma once

#include <memory>
#include <vector>

#include "../signal/format.h"
#include "../time/clock.h"
#include "../time/rate_tracker.h"
#include "frame_queue.h"

namespace patchcord {

// JS thread.
class Arrivals {
 public:
  Arrivals(const Format& format, std::shared_ptr<FrameQueue> queue, Clock& clock)
      : format_(format),
        queue_(std::move(queue)),
        clock_(clock),
        tracker_(format.sample_rate, false) {}

  const Format& format() const { return format_; }

  // Takes all frames; returns how many the queue had no room for.
  uint64_t write(const void* data, size_t frames) {
    samples_.resize(frames * format_.channels);
    to_float(data, format_.sample_format, samples_.data(), samples_.size());
    const uint64_t before = queue_->lost_frames();
    tracker_.update(static_cast<int64_t>(frame_ + frames), clock_.now());
    Record record;
    record.frame = frame_;
    record.frames = frames;
    record.time = static_cast<double>(tracker_.time_at(static_cast<double>(frame_)));
    record.rate = tracker_.rate();
    queue_->push(samples_.data(), record);
    frame_ += frames;
    return queue_->lost_frames() - before;
  }
  void end() { queue_->end(); }

 private:
  const Format format_;
  const std::shared_ptr<FrameQueue> queue_;
  Clock& clock_;
  RateTracker tracker_;
  std::vector<float> samples_;
  uint64_t frame_ = 0;
};

}  // namespace patchcord
