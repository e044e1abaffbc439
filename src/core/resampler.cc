#include "resampler.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "resampler_design.h"

namespace patchcord {
namespace {

constexpr size_t kBlock = 512;  // frames taken between two moves of the history
constexpr double kMaxDeviation = 0.01;
constexpr float kTooLarge = 1e18f;
// Far below the last bit of any format, far above where products with a coefficient would become
// denormal numbers, which some processors compute a hundred times slower.
constexpr float kTooSmall = 1e-24f;

// A variable ratio counts phases in this many parts of a frame or nearly: 2^-32 of a ratio is
// 0.0002 ppm.
constexpr uint64_t kVariablePhases = uint64_t{1} << 32;

float harmless(float sample) noexcept {
  const float size = std::fabs(sample);
  return size >= kTooSmall && size <= kTooLarge ? sample : 0.0f;
}

}  // namespace

Resampler::Resampler(uint32_t in_rate, uint32_t out_rate, uint32_t channels,
                     ResamplerQuality quality, bool variable)
    : design_(std::make_unique<ResamplerDesign>(in_rate, out_rate, quality, variable)),
      kernel_(resampler_kernel()),
      channels_(channels),
      variable_(variable),
      taps_(design_->taps),
      lead_(design_->lead),
      capacity_(taps_ + std::max(taps_, kBlock)) {
  const uint64_t divisor = std::gcd(in_rate, out_rate);
  phases_ = out_rate / divisor;
  nominal_step_ = in_rate / divisor;
  if (variable) {
    // Finer by a whole factor, so that the nominal ratio stays exact.
    const uint64_t finer = kVariablePhases / phases_;
    phases_ *= finer;
    nominal_step_ *= finer;
  }
  rows_per_phase_ = static_cast<double>(design_->rows) / static_cast<double>(phases_);
  history_ = std::make_unique<float[]>(capacity_ * channels_);
  coefficients_ = std::make_unique<float[]>(taps_);
  reset();
}

Resampler::~Resampler() = default;

void Resampler::reset() noexcept {
  std::fill_n(history_.get(), capacity_ * channels_, 0.0f);
  read_ = 0;
  fill_ = lead_;  // the zeros before frame 0
  phase_ = 0;
  step_frames_ = nominal_step_ / phases_;
  step_phase_ = nominal_step_ % phases_;
}

void Resampler::set_ratio(double in_per_out_relative_to_nominal) noexcept {
  if (!variable_ || std::isnan(in_per_out_relative_to_nominal)) return;
  const double ratio =
      std::clamp(in_per_out_relative_to_nominal, 1 - kMaxDeviation, 1 + kMaxDeviation);
  // The deviation alone goes through floating point: 1 gives the nominal step exactly.
  const double deviation = std::round(static_cast<double>(nominal_step_) * (ratio - 1));
  const uint64_t step = nominal_step_ + static_cast<uint64_t>(static_cast<int64_t>(deviation));
  step_frames_ = step / phases_;
  step_phase_ = step % phases_;
}

size_t Resampler::needed_for(size_t out_frames) const noexcept {
  if (out_frames == 0) return 0;
  // step_phase_ and phase_ are below 2^32: no overflow for fewer than 2^32 frames.
  const uint64_t steps = std::min<uint64_t>(out_frames - 1, UINT32_MAX - 1);
  const uint64_t last = read_ + steps * step_frames_ + (phase_ + steps * step_phase_) / phases_;
  const uint64_t end = last + taps_;
  return end > fill_ ? static_cast<size_t>(end - fill_) : 0;
}

double Resampler::position() const noexcept {
  const double whole = static_cast<double>(read_ + lead_) - static_cast<double>(fill_);
  return whole + static_cast<double>(phase_) / static_cast<double>(phases_);
}

// Appends to the history, one plane a channel.
void Resampler::take(const float* in, size_t frames) noexcept {
  for (size_t channel = 0; channel < channels_; ++channel) {
    float* to = history_.get() + channel * capacity_ + fill_;
    if (in == nullptr) {
      std::fill_n(to, frames, 0.0f);
      continue;
    }
    const float* from = in + channel;
    for (size_t i = 0; i < frames; ++i) to[i] = harmless(from[i * channels_]);
  }
  fill_ += frames;
}

void Resampler::advance() noexcept {
  read_ += step_frames_;
  phase_ += step_phase_;
  if (phase_ >= phases_) {
    phase_ -= phases_;
    ++read_;
  }
}

void Resampler::make_frame(float* out) noexcept {
  const float* under = history_.get() + read_;
  if (taps_ == 1) {
    for (size_t channel = 0; channel < channels_; ++channel)
      out[channel] = under[channel * capacity_];
    return;
  }
  const float* coefficients;
  if (design_->interpolated) {
    const double at = static_cast<double>(phase_) * rows_per_phase_;
    const size_t row = std::min(static_cast<size_t>(at), design_->rows - 1);
    coefficients = coefficients_.get();
    kernel_.interpolate(design_->table.data() + row * 4 * taps_,
                        static_cast<float>(at - static_cast<double>(row)), taps_,
                        coefficients_.get());
  } else {
    coefficients = design_->table.data() + phase_ * taps_;
  }
  kernel_.filter(coefficients, taps_, under, capacity_, channels_, out);
}

Resampler::Progress Resampler::process(const float* in, size_t in_frames, float* out,
                                       size_t out_frames) noexcept {
  Progress progress{0, 0};
  for (;;) {
    for (; progress.produced < out_frames && read_ + taps_ <= fill_; ++progress.produced) {
      make_frame(out + progress.produced * channels_);
      advance();
    }
    const size_t wanted =
        std::min(needed_for(out_frames - progress.produced), in_frames - progress.consumed);
    if (wanted == 0) return progress;
    if (fill_ == capacity_) forget();
    const size_t frames = std::min(wanted, capacity_ - fill_);
    take(in != nullptr ? in + progress.consumed * channels_ : nullptr, frames);
    progress.consumed += frames;
  }
}

// Moves what the filter still covers to the front of the planes.
void Resampler::forget() noexcept {
  for (size_t channel = 0; channel < channels_; ++channel) {
    float* plane = history_.get() + channel * capacity_;
    std::memmove(plane, plane + read_, (fill_ - read_) * sizeof(float));
  }
  fill_ -= read_;
  read_ = 0;
}

bool Resampler::silent() const noexcept {
  for (size_t channel = 0; channel < channels_; ++channel) {
    const float* plane = history_.get() + channel * capacity_;
    for (size_t i = read_; i < fill_; ++i) {
      if (plane[i] != 0) return false;
    }
  }
  return true;
}

Resampler::Skip Resampler::skip_silence(uint64_t in_frames) noexcept {
  if (variable_ || !silent()) return {0, 0};
  const uint64_t periods = in_frames / nominal_step_;
  return {periods * nominal_step_, periods * phases_};
}

}  // namespace patchcord
