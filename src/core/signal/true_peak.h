// Peaks between the samples, as a digital-to-analogue converter makes them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace patchcord {

// As in ITU-R BS.1770-4 Annex 2: oversampled 4 times below 96 kHz, 2 times below 192 kHz, not at
// all above. A parabola through each three points with a top then finds most of the peak that
// oversampling misses (up to 0.55 dB at 0.45 of the rate). Non-finite samples and those below -602
// dBFS count as 0. Audio thread; nothing but the constructor allocates.
class TruePeak {
 public:
  // A peak between samples is computed from `reach` frames on each side, at most kMostReach. 16 are
  // enough for a meter, whose passband ends at 0.45 of the rate; 64 reach 0.487.
  static constexpr size_t kMeterReach = 16, kMostReach = 64;
  TruePeak(uint32_t sample_rate, uint32_t channels, size_t reach = kMeterReach);

  // Audio is interleaved. The last frames count at once; the peaks between them count after `reach`
  // more frames.
  void process(const float* frames, size_t count) noexcept;
  // Used instead of process(), for up to kBlock frames: writes to `peaks` the highest peak of all
  // channels at each frame or within one frame of it, `reach` frames later.
  static constexpr size_t kBlock = 64;
  void follow(const float* frames, size_t count, float* peaks) noexcept;
  size_t latency_frames() const noexcept { return 0; }  // the audio that passes is not delayed
  float take(uint32_t channel) noexcept;  // the highest since the last call; linear, absolute
  void reset() noexcept;
  bool silent() const noexcept;  // zeros would change nothing, and take() would return 0

 private:
  static constexpr size_t kMaxFactor = 4;
  static constexpr size_t kMostTaps = 2 * kMostReach;

  struct Channel {
    // the frames before the block, then the block
    std::array<float, kMostTaps - 1 + kBlock> plane{};
    float before = 0, last = 0;  // the last two points of the oversampled signal
    float peak = 0;
  };
  // By phase: first the frames themselves, then the points between each frame and the next.
  using Oversampled = std::array<std::array<float, kBlock>, kMaxFactor>;

  float fill(Channel* channel, const float* first, size_t count) const noexcept;
  void oversample(const Channel& channel, size_t count, Oversampled* out) const noexcept;
  template <class Top>
  void find_tops(Channel* channel, size_t count, const Top& top) const noexcept;

  uint32_t channels_;
  size_t factor_;
  size_t taps_;  // taps of each phase
  std::array<std::array<float, kMostTaps>, kMaxFactor> phases_{};
  std::unique_ptr<Channel[]> state_;
};

}  // namespace patchcord
