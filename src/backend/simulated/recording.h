// The audio that a simulated output has played, recorded for a test.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "../../core/signal/format.h"

namespace patchcord {

struct Gap {
  int64_t frame = 0;  // in the recording
  int64_t frames = 0;
};

struct Recorded {
  std::vector<float> data;  // interleaved
  Format format;            // the device's format when the recording began, as f32
  std::vector<Gap> gaps;    // where a running stream had delivered nothing, or the device stopped
  bool full = false;        // the limit was reached: later audio is missing
  bool gaps_full = false;
};

// Written by the card's audio thread, read by any other. Both buffers exist from the beginning, and
// only their published lengths grow.
class Recording {
 public:
  Recording(const Format& format, int64_t max_frames)
      : format_(format), limit_(max_frames), samples_(new float[max_frames * format.channels]) {
    format_.sample_format = SampleFormat::kF32;
  }

  // Audio thread. `data` may be null: nothing was played.
  void append(const float* data, int64_t frames) noexcept {
    const int64_t at = frames_.load(std::memory_order_relaxed);
    const int64_t taken = std::min(frames, limit_ - at);
    if (taken < frames) full_.store(true, std::memory_order_relaxed);
    const size_t samples = static_cast<size_t>(taken) * format_.channels;
    float* const out = &samples_[static_cast<size_t>(at) * format_.channels];
    if (data != nullptr) {
      std::memcpy(out, data, samples * sizeof(float));
    } else {
      std::fill(out, out + samples, 0.0f);
    }
    frames_.store(at + taken, std::memory_order_release);
  }

  // Audio thread, before the append() of a block: `frames` from its frame `offset` are a gap.
  void mark(int64_t offset, int64_t frames) noexcept {
    const int64_t at = frames_.load(std::memory_order_relaxed) + offset;
    const int64_t taken = std::min(frames, limit_ - at);
    if (taken <= 0) return;
    const size_t count = gaps_.load(std::memory_order_relaxed);
    if (count == kMaxGaps) {
      gaps_full_.store(true, std::memory_order_relaxed);
      return;
    }
    gap_[count] = {at, taken};
    gaps_.store(count + 1, std::memory_order_release);
  }

  // Any thread.
  Recorded read() const {
    Recorded result;
    result.format = format_;
    const size_t gaps = gaps_.load(std::memory_order_acquire);
    const int64_t frames = frames_.load(std::memory_order_acquire);
    result.data.assign(samples_.get(), samples_.get() + frames * format_.channels);
    for (size_t i = 0; i < gaps; ++i) {
      // A gap over several periods was marked once in each.
      if (!result.gaps.empty() &&
          result.gaps.back().frame + result.gaps.back().frames == gap_[i].frame) {
        result.gaps.back().frames += gap_[i].frames;
      } else {
        result.gaps.push_back(gap_[i]);
      }
    }
    result.full = full_.load(std::memory_order_relaxed);
    result.gaps_full = gaps_full_.load(std::memory_order_relaxed);
    return result;
  }

  const Format& format() const { return format_; }
  int64_t limit() const { return limit_; }

 private:
  static constexpr size_t kMaxGaps = 16384;

  Format format_;
  const int64_t limit_;
  std::unique_ptr<float[]> samples_;  // not cleared: pages are used only when they are written
  std::unique_ptr<Gap[]> gap_{new Gap[kMaxGaps]};
  std::atomic<int64_t> frames_{0};
  std::atomic<size_t> gaps_{0};
  std::atomic<bool> full_{false};
  std::atomic<bool> gaps_full_{false};
};

}  // namespace patchcord
