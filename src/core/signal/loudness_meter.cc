#include "loudness_meter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace patchcord {
namespace {

constexpr float kSilence = -std::numeric_limits<float>::infinity();

// BS.1770: cancels the gain of the filter at 997 Hz.
constexpr double kOffset = -0.691;
constexpr double kAbsoluteGate = -70;
constexpr double kBinsPerLu = 10;
constexpr double kRelativeGate = 0.1;  // -10 LU, as energy
constexpr double kRangeGate = 0.01;    // -20 LU
constexpr double kRangeLow = 0.10, kRangeHigh = 0.95;

double lufs_of(double energy) { return kOffset + 10 * std::log10(energy); }

// The loudness of silence is -Infinity, which is log10 of 0.
float shown_lufs(double energy) { return static_cast<float>(lufs_of(energy)); }

size_t bin_of(double lufs, size_t bins) {
  const double bin = (lufs - kAbsoluteGate) * kBinsPerLu;
  return std::min(bins - 1, static_cast<size_t>(std::max(0.0, bin)));
}

}  // namespace

LoudnessMeter::LoudnessMeter(uint32_t sample_rate, uint32_t channels, Peaks peaks)
    : sample_rate_(sample_rate),
      channels_(channels),
      weighting_(sample_rate, channels),
      true_peak_(peaks == Peaks::kMeasured ? std::make_unique<TruePeak>(sample_rate, channels)
                                           : nullptr),
      bins_(std::make_unique<Bin[]>(kBins)) {
  reset();
}

void LoudnessMeter::reset() noexcept {
  weighting_.reset();
  if (true_peak_) true_peak_->reset();
  energies_.fill(0);
  peaks_.fill(0);
  closed_ = 0;
  begin_part();
  std::fill_n(bins_.get(), kBins, Bin{});
  gated_energy_ = ranged_energy_ = 0;
  gated_ = ranged_ = 0;
  current_ = {kSilence, kSilence, kSilence, kSilence, kSilence, 0, 0, 0};
  shown_.store(current_);
}

// The rate need not be a multiple of 100. A part ends at the first frame after each hundredth of a
// second.
void LoudnessMeter::begin_part() noexcept {
  part_frames_ = static_cast<size_t>(end_of(closed_ + 1) - end_of(closed_));
  done_ = 0;
}

void LoudnessMeter::process(const float* frames, size_t count) noexcept {
  while (count > 0) {
    const size_t now = std::min(count, frames_to_renewal());
    weighting_.process(frames, now);
    if (true_peak_) true_peak_->process(frames, now);
    frames += now * channels_;
    count -= now;
    done_ += now;
    if (done_ == part_frames_) close_part();
  }
}

// Once the windows contain only silence, more of it changes only the position within the part.
bool LoudnessMeter::skip_silence(uint64_t count) noexcept {
  const auto is_zero = [](auto value) { return value == 0; };
  if (!weighting_.silent() || (true_peak_ && !true_peak_->silent()) ||
      !std::all_of(energies_.begin(), energies_.end(), is_zero) ||
      !std::all_of(peaks_.begin(), peaks_.end(), is_zero)) {
    return false;
  }
  const uint64_t frame = end_of(closed_) + done_ + count;
  // Rounding may have put the number of parts one too high or one too low: a part may end a frame
  // earlier.
  closed_ = frame * kPartsPerSecond / sample_rate_;
  if (end_of(closed_ + 1) <= frame) ++closed_;
  begin_part();
  done_ = static_cast<size_t>(frame - end_of(closed_));
  return true;
}

// The sum is computed again each time: a running sum would keep the rounding errors of the loudest
// sound so far.
double LoudnessMeter::energy_of_last(size_t parts) const noexcept {
  const auto end = energies_.begin() + static_cast<ptrdiff_t>(closed_ % kParts);
  const auto recent = std::min<ptrdiff_t>(static_cast<ptrdiff_t>(parts), end - energies_.begin());
  const double wrapped = std::accumulate(energies_.end() - (static_cast<ptrdiff_t>(parts) - recent),
                                         energies_.end(), 0.0);
  const double sum = std::accumulate(end - recent, end, wrapped);
  return sum * kPartsPerSecond / (static_cast<double>(parts) * sample_rate_);
}

void LoudnessMeter::close_part() noexcept {
  energies_[closed_ % kParts] = weighting_.take_energy();
  float peak = 0;
  for (uint32_t channel = 0; true_peak_ && channel < channels_; ++channel) {
    peak = std::max(peak, true_peak_->take(channel));
  }
  peaks_[closed_ % kMomentaryParts] = peak;
  ++closed_;
  begin_part();

  const double momentary = energy_of_last(kMomentaryParts);
  const double short_term = energy_of_last(kParts);
  current_.momentary = shown_lufs(momentary);
  current_.short_term = shown_lufs(short_term);
  current_.max_momentary = std::max(current_.max_momentary, current_.momentary);
  current_.max_short_term = std::max(current_.max_short_term, current_.short_term);
  current_.true_peak = *std::max_element(peaks_.begin(), peaks_.end());
  current_.max_true_peak = std::max(current_.max_true_peak, peak);
  if (closed_ % kStepParts == 0 && closed_ >= kMomentaryParts) gate(momentary, short_term);
  shown_.store(current_);
}

void LoudnessMeter::gate(double momentary, double short_term) noexcept {
  if (const double lufs = lufs_of(momentary); lufs > kAbsoluteGate) {
    Bin& bin = bins_[bin_of(lufs, kBins)];
    bin.energy += momentary;
    ++bin.blocks;
    gated_energy_ += momentary;
    ++gated_;
    current_.integrated = integrated();
  }
  if (const double lufs = lufs_of(short_term); closed_ >= kParts && lufs > kAbsoluteGate) {
    ++bins_[bin_of(lufs, kBins)].short_terms;
    ranged_energy_ += short_term;
    ++ranged_;
    current_.range = range();
  }
}

// Exact except for the bin that contains the gate: that bin counts if its mean is above the gate.
float LoudnessMeter::integrated() const noexcept {
  const double gate = kRelativeGate * gated_energy_ / static_cast<double>(gated_);
  double energy = 0;
  uint64_t blocks = 0;
  for (size_t i = bin_of(lufs_of(gate), kBins); i < kBins; ++i) {
    const Bin& bin = bins_[i];
    if (bin.energy <= gate * bin.blocks) continue;
    energy += bin.energy;
    blocks += bin.blocks;
  }
  return shown_lufs(energy / static_cast<double>(blocks));
}

float LoudnessMeter::range() const noexcept {
  const double gate = lufs_of(kRangeGate * ranged_energy_ / static_cast<double>(ranged_));
  const size_t first = bin_of(gate, kBins);
  uint64_t count = 0;
  for (size_t i = first; i < kBins; ++i) count += bins_[i].short_terms;
  const auto bin_at = [this, first, count](double share) {
    const auto wanted = static_cast<uint64_t>(std::lround(share * static_cast<double>(count - 1)));
    size_t bin = first;
    for (uint64_t passed = bins_[bin].short_terms; passed <= wanted;) {
      passed += bins_[++bin].short_terms;
    }
    return bin;
  };
  return static_cast<float>(static_cast<double>(bin_at(kRangeHigh) - bin_at(kRangeLow)) /
                            kBinsPerLu);
}

}  // namespace patchcord
