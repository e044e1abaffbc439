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
    const bool fits = LevelSums::kLanes % channels_ == 0
                          ? add_interleaved(part, frames, now * channels_)
                          : add_channels(part, frames, now);
    if (!fits) add_exactly(part, frames, now);
    part.frames += now;
    frames += now * channels_;
    count -= now;
    if (part.frames == part_frames_) close_part();
  }
}

// Lane k of a sum has samples of channel k modulo `channels_`. Returns false, and adds nothing, if
// an energy is too large for a float.
bool LevelMeter::add_interleaved(Part& part, const float* samples, size_t count) noexcept {
  constexpr size_t kLanes = LevelSums::kLanes;
  LevelSums even, odd;
  for (; count >= 2 * kLanes; count -= 2 * kLanes, samples += 2 * kLanes) {
    even.add(samples);
    odd.add(samples + kLanes);
  }
  for (; count > 0; samples += kLanes) {
    std::array<float, kLanes> rest{};
    const size_t taken = std::min(count, kLanes);
    std::copy_n(samples, taken, rest.begin());
    even.add(rest.data());
    count -= taken;
  }
  if (!even.fits() || !odd.fits()) return false;
  for (const LevelSums& sums : {even, odd}) {
    for (size_t lane = 0; lane < kLanes; ++lane) part.add(lane % channels_, sums, lane);
  }
  return true;
}

// Each sum has up to four channels.
bool LevelMeter::add_channels(Part& part, const float* frames, size_t count) noexcept {
  constexpr size_t kLanes = LevelSums::kLanes;
  std::array<LevelSums, kMaxChannels / kLanes> all;
  for (size_t i = 0; i < count; ++i, frames += channels_) {
    for (size_t first = 0; first < channels_; first += kLanes) {
      std::array<float, kLanes> lanes{};
      std::copy_n(frames + first, std::min<size_t>(kLanes, channels_ - first), lanes.begin());
      all[first / kLanes].add(lanes.data());
    }
  }
  for (const LevelSums& sums : all) {
    if (!sums.fits()) return false;
  }
  for (size_t channel = 0; channel < channels_; ++channel) {
    part.add(channel, all[channel / kLanes], channel % kLanes);
  }
  return true;
}

void LevelMeter::add_exactly(Part& part, const float* frames, size_t count) noexcept {
  for (size_t i = 0; i < count * channels_; ++i) {
    const float size = std::fabs(frames[i]);
    if (!(size <= FLT_MAX)) continue;
    float& peak = part.peak[i % channels_];
    peak = std::max(peak, size);
    part.energy[i % channels_] += static_cast<double>(size) * static_cast<double>(size);
  }
}

void LevelMeter::Part::add(size_t channel, const LevelSums& sums, size_t lane) noexcept {
  peak[channel] = std::max(peak[channel], sums.peaks()[lane]);
  energy[channel] += static_cast<double>(sums.energies()[lane]);
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
