// Peak and RMS of the most recent audio, readable while it passes.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "format.h"
#include "level_sums.h"

namespace patchcord {

struct Level {
  float peak;  // linear, absolute
  float rms;   // linear, relative to 1.0
};

// Measures the last 100 ms, renewed every 25 ms. Non-finite samples count as 0.
class LevelMeter {
 public:
  LevelMeter(uint32_t channels, uint32_t sample_rate);

  void process(const float* frames, size_t count) noexcept;  // audio thread; interleaved
  void silence(uint64_t count) noexcept;  // audio thread; the same as `count` zero frames

  struct Snapshot {
    Level overall{};  // the highest peak; RMS over all channels
    uint32_t channels = 0;
    std::array<Level, kMaxChannels> channel{};
  };
  Snapshot snapshot() const noexcept;  // any thread; neither locks nor waits
  void reset() noexcept;               // audio thread

 private:
  static constexpr size_t kParts = 4;

  struct Part {
    void add(size_t channel, const LevelSums& sums, size_t lane) noexcept;
    std::array<float, kMaxChannels> peak{};
    std::array<double, kMaxChannels> energy{};
    size_t frames = 0;
  };

  bool add_interleaved(Part& part, const float* samples, size_t count) noexcept;
  bool add_channels(Part& part, const float* frames, size_t count) noexcept;
  void add_exactly(Part& part, const float* frames, size_t count) noexcept;
  void close_part() noexcept;

  uint32_t channels_;
  size_t part_frames_;
  std::array<Part, kParts> parts_;
  size_t at_ = 0;
  // Peak and RMS in one atomic value: a reader never sees them from two different windows.
  static_assert(std::atomic<Level>::is_always_lock_free, "an audio thread writes it");
  std::array<std::atomic<Level>, kMaxChannels> published_;
};

}  // namespace patchcord
