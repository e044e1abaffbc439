// The measurements of a level meter; the audio passes unchanged.
#pragma once

#include <cstddef>
#include <cstdint>

#include "level_meter.h"
#include "loudness_meter.h"

namespace patchcord {

class Metering {
 public:
  Metering(uint32_t sample_rate, uint32_t channels)
      : level_(channels, sample_rate), loudness_(sample_rate, channels) {}

  void process(const float* frames, size_t count) noexcept {  // audio thread; interleaved
    level_.process(frames, count);
    loudness_.process(frames, count);
  }
  size_t latency_frames() const noexcept { return 0; }
  // Audio thread; the same as process() of zeros.
  bool skip_silence(uint64_t count) noexcept {
    if (!loudness_.skip_silence(count)) return false;
    level_.silence(count);
    return true;
  }

  // Any thread.
  LevelMeter::Snapshot level() const noexcept { return level_.snapshot(); }
  Loudness loudness() const noexcept { return loudness_.snapshot(); }

 private:
  LevelMeter level_;
  LoudnessMeter loudness_;
};

}  // namespace patchcord
