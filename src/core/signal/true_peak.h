// Peaks between the samples, where a converter will play them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace patchcord {

// As ITU-R BS.1770-4 Annex 2: oversampled, 4 times below 96 kHz, 2 times below 192 kHz, not at all
// above; then a parabola through each three points with a top, which finds most of what 4 times
// leaves (0.55 dB at 0.45 of the rate). Non-finite samples and what is below -602 dBFS count as 0.
// Audio thread; nothing but the constructor allocates.
class TruePeak {
 public:
  // Between its samples a peak is made of `reach` frames on each side, at most kMostReach: 16 do
  // for a meter, whose passband ends at 0.45 of the rate; 64 for 0.487.
  static constexpr size_t kMeterReach = 16, kMostReach = 64;
  TruePeak(uint32_t sample_rate, uint32_t channels, size_t reach = kMeterReach);

  // Interleaved. What is between the last frames is judged when `reach` more have come; they
  // themselves count at once.
  void process(const float* frames, size_t count) noexcept;
  // In place of process(), up to kBlock frames: `peaks` becomes the highest peak of all channels
  // at each frame or within one frame of it, `reach` frames later.
  static constexpr size_t kBlock = 64;
  void follow(const float* frames, size_t count, float* peaks) noexcept;
  size_t latency_frames() const noexcept { return 0; }  // what passes is not delayed
  float take(uint32_t channel) noexcept;  // the highest since the last call; linear, absolute
  void reset() noexcept;
  bool silent() const noexcept;  // zeros change nothing, and there is no peak to be taken

 private:
  static constexpr size_t kMaxFactor = 4;
  static constexpr size_t kMostTaps = 2 * kMostReach;

  struct Channel {
    std::array<float, kMostTaps - 1 + kBlock> plane{};  // what came before, and the block
    float before = 0, last = 0;                         // of the oversampled signal
    float peak = 0;
  };
  // By phase: the frames themselves, then what is between each and the next.
  using Oversampled = std::array<std::array<float, kBlock>, kMaxFactor>;

  float fill(Channel* channel, const float* first, size_t count) const noexcept;
  void oversample(const Channel& channel, size_t count, Oversampled* out) const noexcept;
  template <class Top>
  void find_tops(Channel* channel, size_t count, const Top& top) const noexcept;

  uint32_t channels_;
  size_t factor_;
  size_t taps_;  // of each phase
  std::array<std::array<float, kMostTaps>, kMaxFactor> phases_{};
  std::unique_ptr<Channel[]> state_;
};

}  // namespace patchcord
