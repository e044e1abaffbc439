#include "resampler.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "resampler_design.h"

namespace patchcord {
namespace {

constexpr size_t kBlock = 2048;  // frames taken between two moves of the history
constexpr double kMaxDeviation = 0.01;
// A variable ratio counts phases in this many parts of a frame or nearly: 2^-32 of a ratio is
// 0.0002 ppm.
constexpr uint64_t kVariablePhases = uint64_t{1} << 32;

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
  scratch_ = std::make_unique<float[]>(taps_);
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
  float* to = history_.get() + fill_;
  fill_ += frames;
  if (in != nullptr && channels_ == 2) return split_stereo(in, frames, to, to + capacity_);
  for (size_t channel = 0; channel < channels_; ++channel, to += capacity_) {
    for (size_t i = 0; i < frames; ++i) {
      to[i] = in != nullptr ? harmless(in[i * channels_ + channel]) : 0.0f;
    }
  }
}

// No filter, one channel after the other.
void Resampler::copy(float* out, size_t frames) noexcept {
  for (size_t frame = 0; frame < frames; ++frame, step()) {
    for (size_t channel = 0; channel < channels_; ++channel) {
      *out++ = history_[channel * capacity_ + read_];
    }
  }
}

// Where the ratio hardly differs from 1 the next frame mostly lies between the same two rows: two
// frames then share their loads.
void Resampler::make_between(float* out, size_t frames) noexcept {
  const auto place = [this](float* t) {
    const double at = static_cast<double>(phase_) * rows_per_phase_;
    const size_t row = std::min(static_cast<size_t>(at), design_->rows - 1);
    *t = static_cast<float>(at - static_cast<double>(row));
    return row;
  };
  for (size_t frame = 0; frame < frames;) {
    float t[2];
    const size_t row = place(&t[0]);
    const size_t first = read_;
    step();
    const bool two = frame + 1 < frames && place(&t[1]) == row;
    kernel_.filter_between(design_->row(row), t, taps_,
                           {history_.get() + first, capacity_, channels_, two ? 2u : 1u,
                            read_ - first, out + frame * channels_, channels_},
                           scratch_.get());
    if (two) step();
    frame += two ? 2 : 1;
  }
}

// Phase by phase: frames that are a period apart have the same coefficients.
void Resampler::make_by_phases(float* out, size_t frames) noexcept {
  const auto period_out = static_cast<size_t>(phases_);
  const auto period_in = static_cast<size_t>(nominal_step_);
  const size_t first_read = read_;
  const uint64_t first_phase = phase_;
  for (size_t frame = 0; frame < std::min(frames, period_out); ++frame) {
    const size_t count = (frames - frame + period_out - 1) / period_out;
    kernel_.filter(design_->row(phase_), taps_,
                   {history_.get() + read_, capacity_, channels_, count, period_in,
                    out + frame * channels_, period_out * channels_});
    step();
  }
  read_ = first_read;
  phase_ = first_phase;
  advance(frames);
}

void Resampler::step() noexcept {
  read_ += step_frames_;
  phase_ += step_phase_;
  if (phase_ >= phases_) {
    phase_ -= phases_;
    ++read_;
  }
}

void Resampler::advance(size_t frames) noexcept {
  // No more frames than fit into the history: nothing overflows.
  const uint64_t phase = phase_ + frames * step_phase_;
  read_ += frames * step_frames_ + phase / phases_;
  phase_ = phase % phases_;
}

// Output frames, of `wanted`, whose filter is covered by the history.
size_t Resampler::ready_frames(size_t wanted) const noexcept {
  if (wanted == 0 || read_ + taps_ > fill_) return 0;
  // Frame n lies at floor((phase + n * step) / phases) after read_: the last that fits.
  const uint64_t room = (fill_ - taps_ - read_ + 1) * phases_ - 1 - phase_;
  const uint64_t step = step_frames_ * phases_ + step_phase_;
  return static_cast<size_t>(std::min<uint64_t>(wanted, room / step + 1));
}

Resampler::Progress Resampler::process(const float* in, size_t in_frames, float* out,
                                       size_t out_frames) noexcept {
  Progress progress{0, 0};
  for (;;) {
    const size_t ready = ready_frames(out_frames - progress.produced);
    float* to = out + progress.produced * channels_;
    if (taps_ == 1) {
      copy(to, ready);
    } else if (design_->interpolated) {
      make_between(to, ready);
    } else {
      make_by_phases(to, ready);
    }
    progress.produced += ready;
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
