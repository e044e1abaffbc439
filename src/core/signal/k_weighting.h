// How loud sound is to the ear: the filter and the channel weights of ITU-R BS.1770, at any rate.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "format.h"

namespace patchcord {

// Sums up weighted energy, which LoudnessMeter turns into loudness. Non-finite samples and those
// below -602 dBFS count as 0. Audio thread; nothing allocates.
class KWeighting {
 public:
  struct Biquad {
    double b0, b1, b2, a1, a2;
  };

  KWeighting(uint32_t sample_rate, uint32_t channels) noexcept;

  void process(const float* frames, size_t count) noexcept;  // interleaved
  // The sum, over all frames since the last call and all channels, of weight times square.
  double take_energy() noexcept;
  void reset() noexcept;
  bool silent() const noexcept;  // zeros would change nothing, and take_energy() would return 0

  // The weight of a speaker in the usual layout of so many channels, in WAVE order: 0 for LFE, 1.41
  // (+1.5 dB) for surrounds at the side, else 1.
  static double channel_weight(uint32_t channels, uint32_t channel) noexcept;

 private:
  struct State {
    double shelf[2]{}, high_pass[2]{};
    double energy = 0;
  };

  uint32_t channels_;
  Biquad shelf_, high_pass_;
  std::array<double, kMaxChannels> weights_{};
  std::array<State, kMaxChannels> states_{};
};

}  // namespace patchcord
