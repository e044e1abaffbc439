// Loudness by ITU-R BS.1770-4 and EBU Tech 3341: momentary, short-term and integrated.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "../shown.h"
#include "k_weighting.h"
#include "true_peak.h"

namespace patchcord {

// LUFS, silence is -Infinity; peaks are linear, as in Level.
struct Loudness {
  float momentary;   // the last 400 ms
  float short_term;  // the last 3 s
  float integrated;  // since reset, without parts that are 10 LU or more below; -Infinity below -70
  float max_momentary;   // since reset
  float max_short_term;  // since reset
  float range;           // LU, as EBU Tech 3342: 0 until there are 3 s of sound
  float true_peak;       // the last 400 ms, the highest of all channels
  float max_true_peak;   // since reset
};

// Values are renewed every 10 ms, so that a sound of 400 ms always fills one window; integrated
// loudness and range every 100 ms. The windows count the time before the first frame as silence;
// integrated loudness and range ignore it. Memory and work do not grow with time: loudnesses are
// counted in bins of 0.1 LU, and each bin keeps its exact energy. Non-finite samples and those
// below -602 dBFS count as 0.
class LoudnessMeter {
 public:
  // kIgnored: peaks are not measured, which saves their cost, and are reported as 0
  enum class Peaks : uint8_t { kMeasured, kIgnored };

  LoudnessMeter(uint32_t sample_rate, uint32_t channels, Peaks peaks = Peaks::kMeasured);

  void process(const float* frames, size_t count) noexcept;  // audio thread; interleaved
  size_t latency_frames() const noexcept { return 0; }       // what passes is not delayed
  void reset() noexcept;                                     // audio thread
  bool skip_silence(uint64_t count) noexcept;  // audio thread; the same as process() of zeros
  Loudness snapshot() const noexcept { return shown_.load(); }  // any thread

  // Audio thread, for callers that act on each renewal.
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
    double energy = 0;  // energy of all blocks in the bin
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
  double gated_energy_, ranged_energy_;  // sums over the blocks above -70 LUFS
  uint64_t gated_, ranged_;
  Loudness current_;
  Shown<Loudness> shown_;
};

}  // namespace patchcord
