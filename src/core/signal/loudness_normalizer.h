// Brings a voice to the loudness that listeners expect, too slowly for them to notice.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "limiter.h"
#include "loudness_meter.h"

namespace patchcord {

// The loudness that AES TD1008 recommends for speech. The peaks of an uncompressed voice are 15 dB
// and more above its loudness. At -16, the figure for music, the limiter would work on every other
// word; at -23, the figure for broadcasting, a speaker would be quieter than all others in a
// meeting.
constexpr double kSpeechLufs = -18;
constexpr double kMaxNormalizerGainDb = 20;

// The gain follows the loudness of the last 6 s of programme, gated as in BS.1770:
// - Sound that would stay 10 LU below the target even with the greatest gain is background, and so
//   is sound that is 10 LU below the programme. Silence and background hold the gain where it is;
//   they never raise it.
// - Before there was any programme, the normalizer measures sound that is 20 LU below the target
//   for 3 s. If it is as steady as a fan, it is background.
// - The first second of programme sets the gain. After that the gain moves slowly, and down faster
//   than up.
// - Sound that stays 10 LU quieter for 3 s becomes the programme, unless it is as steady as a fan.
// - Sudden loud sound comes out at most 8 LU above the target as soon as the momentary loudness
//   shows it. Until then the limiter, which is last, limits it.
// Non-finite samples and those below -602 dBFS count as 0.
class LoudnessNormalizer {
 public:
  // Both finite.
  LoudnessNormalizer(uint32_t sample_rate, uint32_t channels, double target_lufs = kSpeechLufs,
                     double max_gain_db = kMaxNormalizerGainDb);

  void process(float* frames, size_t count) noexcept;  // audio thread; in place, interleaved
  size_t latency_frames() const noexcept { return limiter_.latency_frames(); }
  void reset() noexcept;                       // audio thread
  bool skip_silence(uint64_t count) noexcept;  // audio thread; as process() of zeros

  // Any thread: the gain before the limiter, and the loudness of the input (its peaks are not
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

  // Mean squares of blocks of 400 ms, one each 100 ms.
  std::array<double, kMemory> programme_;  // the last blocks of programme
  uint64_t programme_blocks_;              // how many such blocks there were
  double programme_lufs_;                  // gated; -Infinity if there was none
  uint32_t opening_blocks_;     // blocks above the gate before the first that counted as programme
  uint64_t background_blocks_;  // blocks since the last of programme
  std::array<double, kQuiet> quiet_;  // blocks of background above the gate
  size_t quiet_blocks_;

  double gain_db_;
  double from_, to_;  // linear: the gain at both ends of the present 10 ms
  size_t ramp_frames_, ramped_;
  std::atomic<float> shown_gain_db_{0};
};

}  // namespace patchcord
