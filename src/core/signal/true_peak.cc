#include "true_peak.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "kaiser.h"
#include "sane_sample.h"

namespace patchcord {
namespace {

// By Kaiser's formulas: with 32 taps in a phase, and a transition from 0.45 of the rate to 0.55,
// the stop band is at -54 dB and the passband is flat to 0.02 dB.
constexpr double kShape = kaiser_shape(53.9);

// No playable signal is higher than this (746 dB above full scale), and no sum of such samples
// overflows.
constexpr float kHighest = FLT_MAX / 64;

// A parabola through points within [-1, 1] has its top below this.
constexpr float kHighestTop = 1.25f;

}  // namespace

TruePeak::TruePeak(uint32_t sample_rate, uint32_t channels, size_t reach)
    : channels_(channels),
      factor_(sample_rate < 96000    ? 4
              : sample_rate < 192000 ? 2
                                     : 1),
      taps_(2 * reach),
      state_(std::make_unique<Channel[]>(channels)) {
  const double half = static_cast<double>(reach), lead = half - 1;
  for (size_t phase = 1; phase < factor_; ++phase) {
    std::array<double, kMostTaps> taps;
    double sum = 0;
    for (size_t k = 0; k < taps_; ++k) {
      const double at =
          static_cast<double>(k) - lead - static_cast<double>(phase) / static_cast<double>(factor_);
      const double place = at / half;
      taps[k] = std::sin(kPi * at) / at * kaiser(kShape, place);
      sum += taps[k];
    }
    for (size_t k = 0; k < taps_; ++k) phases_[phase][k] = static_cast<float>(taps[k] / sum);
  }
}

void TruePeak::reset() noexcept { std::fill_n(state_.get(), channels_, Channel{}); }

bool TruePeak::silent() const noexcept {
  return std::all_of(state_.get(), state_.get() + channels_, [this](const Channel& channel) {
    return channel.peak == 0 && channel.before == 0 && channel.last == 0 &&
           std::all_of(channel.plane.begin(), channel.plane.begin() + taps_ - 1,
                       [](float sample) { return sample == 0; });
  });
}

float TruePeak::take(uint32_t channel) noexcept {
  const float peak = state_[channel].peak;
  state_[channel].peak = 0;
  return peak;
}

void TruePeak::oversample(const Channel& channel, size_t count, Oversampled* out) const noexcept {
  std::copy_n(channel.plane.begin() + taps_ / 2 - 1, count, (*out)[0].begin());
  // Several frames at once, so that they share the taps; results beyond `count` are not used.
  constexpr size_t kTogether = 8;
  static_assert(kBlock % kTogether == 0, "the plane holds whole groups");
  for (size_t phase = 1; phase < factor_; ++phase) {
    for (size_t i = 0; i < count; i += kTogether) {
      std::array<float, kTogether> sums{};
      for (size_t k = 0; k < taps_; ++k) {
        const float tap = phases_[phase][k];
        for (size_t j = 0; j < kTogether; ++j) sums[j] += tap * channel.plane[i + j + k];
      }
      std::copy(sums.begin(), sums.end(), (*out)[phase].begin() + i);
    }
  }
}

// Appends `count` frames of a channel to those before. Returns the highest of them.
float TruePeak::fill(Channel* channel, const float* first, size_t count) const noexcept {
  float highest = 0;
  for (size_t i = 0; i < count; ++i) {
    const float sample = std::clamp(sane_sample(first[i * channels_]), -kHighest, kHighest);
    highest = std::max(highest, std::fabs(sample));
    channel->plane[taps_ - 1 + i] = sample;
  }
  return highest;
}

// Calls top(i, peak) for each point that is no lower than its neighbours. The peak lies within one
// frame of the frame `reach` before the i-th of the block.
template <class Top>
void TruePeak::find_tops(Channel* channel, size_t count, const Top& top) const noexcept {
  Oversampled signal;
  oversample(*channel, count, &signal);
  float before = channel->before, last = channel->last;
  for (size_t i = 0; i < count; ++i) {
    for (size_t phase = 0; phase < factor_; ++phase) {
      const float next = signal[phase][i];
      const float size = std::fabs(last);
      if (size >= std::fabs(before) && size >= std::fabs(next) && size > 0) {
        top(i, size, [before, last, next, size] {
          const double rise = std::fabs(static_cast<double>(last) - static_cast<double>(before));
          const double fall = std::fabs(static_cast<double>(last) - static_cast<double>(next));
          const double bend = rise + fall;
          const double above = bend > 0 ? (rise - fall) * (rise - fall) / (8 * bend) : 0;
          return static_cast<float>(static_cast<double>(size) + above);
        });
      }
      before = last;
      last = next;
    }
  }
  channel->before = before;
  channel->last = last;
  std::copy_n(channel->plane.begin() + static_cast<ptrdiff_t>(count), taps_ - 1,
              channel->plane.begin());
}

void TruePeak::process(const float* frames, size_t count) noexcept {
  for (size_t done = 0; done < count;) {
    const size_t now = std::min(count - done, kBlock);
    for (size_t c = 0; c < channels_; ++c) {
      Channel& channel = state_[c];
      channel.peak = std::max(channel.peak, fill(&channel, frames + done * channels_ + c, now));
      find_tops(&channel, now, [&channel](size_t, float size, const auto& parabola) {
        if (size * kHighestTop > channel.peak) channel.peak = std::max(channel.peak, parabola());
      });
    }
    done += now;
  }
}

void TruePeak::follow(const float* frames, size_t count, float* peaks) noexcept {
  std::fill_n(peaks, count, 0.0f);
  for (size_t c = 0; c < channels_; ++c) {
    fill(&state_[c], frames + c, count);
    find_tops(&state_[c], count, [peaks](size_t i, float size, const auto& parabola) {
      if (size * kHighestTop > peaks[i]) peaks[i] = std::max(peaks[i], parabola());
    });
  }
}

}  // namespace patchcord
