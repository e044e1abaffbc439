#include "level_meter.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

namespace patchcord {

LevelMeter::LevelMeter(uint32_t channels, uint32_t sample_rate)
    : channels_(channels), part_frames_(sample_rate / 10 / kParts) {
  reset();
}

void LevelMeter::reset() noexcept {
  parts_.fill({});
  at_ = 0;
  for (auto& level : published_) level.store({}, std::memory_order_relaxed);
}

void LevelMeter::process(const float* frames, size_t count) noexcept {
  while (count > 0) {
    Part& part = parts_[at_];
    const size_t now = std::min(count, part_frames_ - part.frames);
    for (size_t channel = 0; channel < channels_; ++channel) {
      float peak = part.peak[channel];
      double energy = part.energy[channel];
      for (size_t i = 0; i < now; ++i) {
        const float size = std::fabs(frames[i * channels_ + channel]);
        if (!(size <= FLT_MAX)) continue;
        peak = std::max(peak, size);
        energy += static_cast<double>(size) * static_cast<double>(size);
      }
      part.peak[channel] = peak;
      part.energy[channel] = energy;
    }
    part.frames += now;
    frames += now * channels_;
    count -= now;
    if (part.frames == part_frames_) close_part();
  }
}

void LevelMeter::silence(uint64_t count) noexcept {
  // After a whole window of zeros, more zeros change only the position within the part. So a gap of
  // hours costs no more than a short one.
  const uint64_t window = part_frames_ * (kParts + 1);
  if (count > window) count = window + (count - window) % part_frames_;
  while (count > 0) {
    Part& part = parts_[at_];
    const auto now = static_cast<size_t>(std::min<uint64_t>(count, part_frames_ - part.frames));
    part.frames += now;
    count -= now;
    if (part.frames == part_frames_) close_part();
  }
}

void LevelMeter::close_part() noexcept {
  size_t frames = 0;
  for (const Part& part : parts_) frames += part.frames;
  for (size_t channel = 0; channel < channels_; ++channel) {
    float peak = 0;
    double energy = 0;
    for (const Part& part : parts_) {
      peak = std::max(peak, part.peak[channel]);
      energy += part.energy[channel];
    }
    const Level level{peak, static_cast<float>(std::sqrt(energy / static_cast<double>(frames)))};
    published_[channel].store(level, std::memory_order_relaxed);
  }
  at_ = (at_ + 1) % kParts;
  parts_[at_] = {};
}

LevelMeter::Snapshot LevelMeter::snapshot() const noexcept {
  Snapshot snapshot;
  snapshot.channels = channels_;
  double energy = 0;
  for (size_t channel = 0; channel < channels_; ++channel) {
    const Level level = published_[channel].load(std::memory_order_relaxed);
    snapshot.channel[channel] = level;
    snapshot.overall.peak = std::max(snapshot.overall.peak, level.peak);
    energy += static_cast<double>(level.rms) * static_cast<double>(level.rms);
  }
  snapshot.overall.rms = static_cast<float>(std::sqrt(energy / channels_));
  return snapshot;
}

}  // namespace patchcord
