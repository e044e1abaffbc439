// Brings a voice to the loudness that listeners expect, so slowly that they do not hear it done.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "limiter.h"
#include "loudness_meter.h"

namespace patchcord {

// What AES TD1008 recommends for speech. A voice that nobody has compressed peaks some 15 dB and
// more above its loudness: at -16, the figure for music, the limiter would work on every other
// word, and at -23, broadcast's, a speaker is quieter than all others in a meeting.
constexpr double kSpeechLufs = -18;
constexpr double kMaxNormalizerGainDb = 20;

// The gain follows the loudness of the last 6 s of programme, gated as in BS.1770:
// - What would stay 10 LU below the target even with the greatest gain is background, and so is
// what
//   is 10 LU below the programme: silence and noise hold the gain where it is, they never raise it.
// - Before there was any programme, what is 20 LU below the target is listened to for 3 s: as
// steady
//   as a fan, it is background.
// - The first second of programme sets it; from then on it moves slowly, and down faster than up.
// - What stays 10 LU quieter for 3 s is the programme from then on, unless it is as steady as a
// fan.
// - Whatever is suddenly loud comes out no more than 8 LU above the target as soon as its momentary
//   loudness tells; until then the limiter, which is last, holds it.
// Non-finite samples and what is below -602 dBFS count as 0.
class LoudnessNormalizer {
 public:
  // Both finite.
  LoudnessNormalizer(uint32_t sample_rate, uint32_t channels, double target_lufs = kSpeechLufs,
                     double max_gain_db = kMaxNormalizerGainDb);

  void process(float* frames, size_t count) noexcept;  // audio thread; in place, interleaved
  size_t latency_frames() const noexcept { return limiter_.latency_frames(); }
  void reset() noexcept;                       // audio thread
  bool skip_silence(uint64_t count) noexcept;  // audio thread; as process() of zeros

  // Any thread: the gain before the limiter, and how loud what comes in is (its peaks are not
  // measured).
  float gain_db() const noexcept { return shown_gain_db_.load(std::memory_order_relaxed); }
  Loudness loudness() const noexcept { return meter_.snapshot(); }

 private:
  static constexpr size_t kMemory = 60;  // blocks: 6 s
  static constexpr size_t kQuiet = 30;

  void amplify(float* frames, size_t count) noexcept;
  void renew() noexcept;
  bool is_programme(double lufs) const noexcept;
  void learn(double lufs) noexcept;
  void watch_quiet(double lufs) noexcept;
  double gated_loudness() const noexcept;
  double steered(double lufs) const noexcept;

  const uint32_t channels_;
  const double target_, max_gain_db_;
  const double gate_;  // LUFS
  LoudnessMeter meter_;
  Limiter limiter_;

  // Blocks of 400 ms, one each 100 ms; mean squares.
  std::array<double, kMemory> programme_;  // the last of them
  uint64_t programme_blocks_;              // so many there were
  double programme_lufs_;                  // gated; -Infinity if there was none
  uint32_t opening_blocks_;                // above the gate, before the first that counted
  uint64_t background_blocks_;             // since the last of programme
  std::array<double, kQuiet> quiet_;       // background, if it is above the gate
  size_t quiet_blocks_;

  double gain_db_;
  double from_, to_;  // linear: over the 10 ms under way
  size_t ramp_frames_, ramped_;
  std::atomic<float> shown_gain_db_{0};
};

}  // namespace patchcord
