#include "loudness_normalizer.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>

#include "sane_sample.h"

namespace patchcord {
namespace {

constexpr double kSilence = -std::numeric_limits<double>::infinity();
constexpr double kAbsoluteGate = -70, kRelativeGate = -10;  // BS.1770's
// Before there was any speech, sound this far below the target may be a voice or a fan.
constexpr double kQuietBeginning = -20;
constexpr double kHeadroom = 8;  // LU above the target, for momentary loudness
// A block louder than this counts as this loud. Only clipped or invalid audio is that loud, and its
// effect would otherwise last for minutes.
constexpr double kLoudest = 6;

constexpr uint32_t kRenewalsPerBlock = 10;  // a block each 100 ms, of 400 ms
constexpr uint32_t kWindowBlocks = 4;
constexpr uint32_t kBeginningBlocks = 20;
// The momentary loudness of speech moves by more than this within 3 s, that of noise by less: 3 LU,
// as energy.
constexpr double kSteady = 2;

struct Pace {
  double share;  // share of the remaining distance that the gain moves each 10 ms
  double most;   // dB each 10 ms
};
constexpr Pace kBeginning = {0.06, 0.4};  // up: time constant 160 ms, 40 dB/s
constexpr Pace kRise = {0.005, 0.06};     // 2 s, 6 dB/s
constexpr Pace kFall = {0.04, 0.4};       // 250 ms, 40 dB/s

double energy_of(double lufs) { return std::pow(10, lufs / 10); }
double lufs_of(double energy) { return 10 * std::log10(energy); }
double linear(double db) { return std::pow(10, db / 20); }

}  // namespace

LoudnessNormalizer::LoudnessNormalizer(uint32_t sample_rate, uint32_t channels, double target_lufs,
                                       double max_gain_db)
    : channels_(channels),
      target_(target_lufs),
      max_gain_db_(max_gain_db),
      gate_(std::max(kAbsoluteGate, target_lufs - max_gain_db + kRelativeGate)),
      meter_(sample_rate, channels, LoudnessMeter::Peaks::kIgnored),
      limiter_(sample_rate, channels, kLimiterCeiling, LimiterPeaks::kTrue) {
  reset();
}

void LoudnessNormalizer::reset() noexcept {
  meter_.reset();
  limiter_.reset();
  programme_.fill(0);
  quiet_.fill(0);
  programme_blocks_ = background_blocks_ = 0;
  opening_blocks_ = 0;
  quiet_blocks_ = 0;
  programme_lufs_ = kSilence;
  gain_db_ = 0;
  from_ = to_ = 1;
  ramp_frames_ = meter_.frames_to_renewal();
  ramped_ = 0;
  shown_gain_db_.store(0, std::memory_order_relaxed);
}

void LoudnessNormalizer::process(float* frames, size_t count) noexcept {
  while (count > 0) {
    const size_t now = std::min(count, ramp_frames_ - ramped_);
    meter_.process(frames, now);
    amplify(frames, now);
    limiter_.process(frames, now);
    frames += now * channels_;
    count -= now;
    if (ramped_ == ramp_frames_) renew();
  }
}

void LoudnessNormalizer::amplify(float* frames, size_t count) noexcept {
  const double step = (to_ - from_) / static_cast<double>(ramp_frames_);
  for (size_t i = 0; i < count; ++i, frames += channels_) {
    const auto gain = static_cast<float>(from_ + step * static_cast<double>(++ramped_));
    for (size_t channel = 0; channel < channels_; ++channel) {
      frames[channel] = std::clamp(sane_sample(frames[channel]) * gain, -FLT_MAX, FLT_MAX);
    }
  }
}

void LoudnessNormalizer::renew() noexcept {
  const double lufs = std::min(kLoudest, static_cast<double>(meter_.current().momentary));
  if (meter_.renewals() % kRenewalsPerBlock == 0) learn(lufs);
  gain_db_ = steered(lufs);
  from_ = to_;
  to_ = linear(gain_db_);
  ramp_frames_ = meter_.frames_to_renewal();
  ramped_ = 0;
  shown_gain_db_.store(static_cast<float>(gain_db_), std::memory_order_relaxed);
}

// Only after the gain has fallen to the value for the programme so far.
bool LoudnessNormalizer::skip_silence(uint64_t count) noexcept {
  const uint64_t renewals = meter_.renewals();
  if (from_ != to_ || steered(kSilence) != gain_db_ || !limiter_.skip_silence(count) ||
      !meter_.skip_silence(count)) {
    return false;
  }
  const uint64_t blocks = meter_.renewals() / kRenewalsPerBlock - renewals / kRenewalsPerBlock;
  background_blocks_ += blocks;
  if (blocks > 0) opening_blocks_ = 0;
  ramp_frames_ = meter_.frames_to_renewal();
  ramped_ = 0;
  return true;
}

bool LoudnessNormalizer::is_programme(double lufs) const noexcept {
  const double background =
      programme_blocks_ == 0 ? target_ + kQuietBeginning : programme_lufs_ + kRelativeGate;
  return lufs > std::max(gate_, background);
}

void LoudnessNormalizer::learn(double lufs) noexcept {
  if (!is_programme(lufs)) {
    opening_blocks_ = 0;
    ++background_blocks_;
    if (lufs > gate_) watch_quiet(lufs);
    return;
  }
  // The first windows are half silence, so the programme would seem quieter than it is.
  if (programme_blocks_ == 0 && ++opening_blocks_ < kWindowBlocks) return;
  programme_[programme_blocks_++ % kMemory] = energy_of(lufs);
  programme_lufs_ = gated_loudness();
  background_blocks_ = 0;
  quiet_blocks_ = 0;
}

// Speech that has moved to another room, or further from its microphone, is not steady. Fans and
// hum are.
void LoudnessNormalizer::watch_quiet(double lufs) noexcept {
  // The window still contains programme that has just ended.
  if (background_blocks_ <= kWindowBlocks) return;
  quiet_[quiet_blocks_++] = energy_of(lufs);
  if (quiet_blocks_ < kQuiet) return;
  const auto [lowest, highest] = std::minmax_element(quiet_.begin(), quiet_.end());
  if (*highest > *lowest * kSteady) {
    std::copy(quiet_.begin(), quiet_.end(), programme_.begin());
    programme_blocks_ = kQuiet;
    programme_lufs_ = gated_loudness();
  }
  quiet_blocks_ = 0;
}

double LoudnessNormalizer::gated_loudness() const noexcept {
  const size_t blocks = static_cast<size_t>(std::min<uint64_t>(programme_blocks_, kMemory));
  double sum = 0;
  for (size_t i = 0; i < blocks; ++i) sum += programme_[i];
  const double gate = energy_of(kRelativeGate) * sum / static_cast<double>(blocks);
  double gated = 0;
  size_t count = 0;
  for (size_t i = 0; i < blocks; ++i) {
    if (programme_[i] <= gate) continue;
    gated += programme_[i];
    ++count;
  }
  return lufs_of(gated / static_cast<double>(count));
}

// The gain of the next 10 ms, in dB.
double LoudnessNormalizer::steered(double lufs) const noexcept {
  const double learnt =
      programme_blocks_ == 0 ? gain_db_ : std::min(max_gain_db_, target_ - programme_lufs_);
  const double wanted = std::min(learnt, target_ + kHeadroom - lufs);
  if (wanted < gain_db_) {
    return gain_db_ - std::min(kFall.most, kFall.share * (gain_db_ - wanted));
  }
  if (!is_programme(lufs)) return gain_db_;
  const Pace& pace = programme_blocks_ < kBeginningBlocks ? kBeginning : kRise;
  return gain_db_ + std::min(pace.most, pace.share * (wanted - gain_db_));
}

}  // namespace patchcord
