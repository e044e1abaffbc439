// How loud it is, by ITU-R BS.1770-4 and EBU Tech 3341: now, lately, and altogether.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "../shown.h"
#include "k_weighting.h"
#include "true_peak.h"

namespace patchcord {

// LUFS, silence -Infinity; peaks linear, as Level's.
struct Loudness {
  float momentary;       // the last 400 ms
  float short_term;      // the last 3 s
  float integrated;      // since reset, without what is 10 LU or more below; -Infinity below -70
  float max_momentary;   // since reset
  float max_short_term;  // since reset
  float range;           // LU, as EBU Tech 3342: 0 until there are 3 s of sound
  float true_peak;       // the last 400 ms, the highest of all channels
  float max_true_peak;   // since reset
};

// Renewed every 10 ms, so that no sound of 400 ms falls between two windows; integrated loudness
// and range every 100 ms. What was before the first frame counts as silence in the windows, not in
// integrated loudness and range. Memory and work stay the same however long it runs: loudnesses are
// counted in bins of 0.1 LU, which keep their exact energy. Non-finite samples and what is below
// -602 dBFS count as 0.
class LoudnessMeter {
 public:
  enum class Peaks : uint8_t { kMeasured, kIgnored };  // ignored, they cost nothing and are 0

  LoudnessMeter(uint32_t sample_rate, uint32_t channels, Peaks peaks = Peaks::kMeasured);

  void process(const float* frames, size_t count) noexcept;  // audio thread; interleaved
  size_t latency_frames() const noexcept { return 0; }       // what passes is not delayed
  void reset() noexcept;                                     // audio thread
  bool skip_silence(uint64_t count) noexcept;                // audio thread; as process() of zeros
  Loudness snapshot() const noexcept { return shown_.load(); }  // any thread

  // Audio thread, for who acts on each renewal.
  size_t frames_to_renewal() const noexcept { return part_frames_ - done_; }
  uint64_t renewals() const noexcept { return closed_; }  // since reset
  const Loudness& current() const noexcept { return current_; }

 private:
  static constexpr size_t kPartsPerSecond = 100;
  static constexpr size_t kParts = 3 * kPartsPerSecond;
  static constexpr size_t kMomentaryParts = 2 * kPartsPerSecond / 5;
  static constexpr size_t kStepParts = kPartsPerSecond / 10;  // from block to block, for gating
  static constexpr size_t kBins = 1000;                       // of 0.1 LU, from -70 LUFS

  struct Bin {
    double energy = 0;  // of all its blocks
    uint32_t blocks = 0;
    uint32_t short_terms = 0;
  };

  uint64_t end_of(uint64_t parts) const noexcept { return parts * sample_rate_ / kPartsPerSecond; }
  void close_part() noexcept;
  void begin_part() noexcept;
  double energy_of_last(size_t parts) const noexcept;  // the mean square, weighted
  void gate(double momentary, double short_term) noexcept;
  float integrated() const noexcept;
  float range() const noexcept;

  uint32_t sample_rate_;
  uint32_t channels_;
  KWeighting weighting_;
  std::unique_ptr<TruePeak> true_peak_;
  std::array<double, kParts> energies_;       // of the last parts
  std::array<float, kMomentaryParts> peaks_;  // likewise
  uint64_t closed_;                           // parts
  size_t part_frames_;                        // of the one that is filled
  size_t done_;                               // frames of it

  std::unique_ptr<Bin[]> bins_;
  double gated_energy_, ranged_energy_;  // sums over what is above -70 LUFS
  uint64_t gated_, ranged_;
  Loudness current_;
  Shown<Loudness> shown_;
};

}  // namespace patchcord
