#include "k_weighting.h"

#include <cmath>

#include "sane_sample.h"

namespace patchcord {
namespace {

constexpr double kPi = 3.14159265358979323846;

// BS.1770 gives coefficients for 48 kHz only. These are the analogue filters that they are the
// bilinear transforms of, recovered by inverting it: at 48 kHz the published digits come out again.
constexpr double kShelfHz = 1681.974450955533;
constexpr double kShelfQ = 0.7071752369554196;
constexpr double kShelfTop = 1.584864701130855;     // +4 dB
constexpr double kShelfMiddle = 1.258720930232562;  // at the corner
constexpr double kHighPassHz = 38.13547087602444;
constexpr double kHighPassQ = 0.5003270373238773;

// In BS.1770 a surround at 60 to 120 degrees weighs 1.41, all else 1 (table 4).
constexpr double kSurround = 1.41;

// Below it a state is silence: far before it would become a denormal, which it would on its way to
// 0.
constexpr double kSilence = 1e-30;

double settled(double state) { return std::fabs(state) < kSilence ? 0 : state; }

}  // namespace

double KWeighting::channel_weight(uint32_t channels, uint32_t channel) noexcept {
  // Back left and right are the surrounds of 4.0, 5.0 and 5.1; behind side speakers they are not.
  switch (channels) {
    case 4:
      return channel >= 2 ? kSurround : 1;
    case 5:
      return channel >= 3 ? kSurround : 1;
    case 6:
      return channel == 3 ? 0 : channel >= 4 ? kSurround : 1;
    case 7:
      return channel == 3 ? 0 : channel >= 5 ? kSurround : 1;
    case 8:
      return channel == 3 ? 0 : channel >= 6 ? kSurround : 1;
    default:
      return 1;
  }
}

KWeighting::KWeighting(uint32_t sample_rate, uint32_t channels) noexcept : channels_(channels) {
  const double shelf = std::tan(kPi * kShelfHz / sample_rate);
  const double shelf_scale = 1 / (1 + shelf / kShelfQ + shelf * shelf);
  shelf_ = {(kShelfTop + kShelfMiddle * shelf / kShelfQ + shelf * shelf) * shelf_scale,
            2 * (shelf * shelf - kShelfTop) * shelf_scale,
            (kShelfTop - kShelfMiddle * shelf / kShelfQ + shelf * shelf) * shelf_scale,
            2 * (shelf * shelf - 1) * shelf_scale,
            (1 - shelf / kShelfQ + shelf * shelf) * shelf_scale};
  const double pass = std::tan(kPi * kHighPassHz / sample_rate);
  const double pass_scale = 1 / (1 + pass / kHighPassQ + pass * pass);
  // The numerator as it is published, without the gain that would make the passband exactly 1.
  high_pass_ = {1, -2, 1, 2 * (pass * pass - 1) * pass_scale,
                (1 - pass / kHighPassQ + pass * pass) * pass_scale};
  for (uint32_t channel = 0; channel < channels; ++channel) {
    weights_[channel] = channel_weight(channels, channel);
  }
}

void KWeighting::reset() noexcept { states_.fill({}); }

void KWeighting::process(const float* frames, size_t count) noexcept {
  for (size_t channel = 0; channel < channels_; ++channel) {
    if (weights_[channel] == 0) continue;
    State& state = states_[channel];
    double s1 = state.shelf[0], s2 = state.shelf[1];
    double h1 = state.high_pass[0], h2 = state.high_pass[1];
    double energy = state.energy;
    for (size_t i = 0; i < count; ++i) {
      // Both transposed direct form II.
      const auto in = static_cast<double>(sane_sample(frames[i * channels_ + channel]));
      const double bright = shelf_.b0 * in + s1;
      s1 = shelf_.b1 * in - shelf_.a1 * bright + s2;
      s2 = shelf_.b2 * in - shelf_.a2 * bright;
      const double out = bright + h1;
      h1 = h2 - 2 * bright - high_pass_.a1 * out;
      h2 = bright - high_pass_.a2 * out;
      energy += out * out;
    }
    state = {{s1, s2}, {h1, h2}, energy};
  }
}

double KWeighting::take_energy() noexcept {
  double sum = 0;
  for (size_t channel = 0; channel < channels_; ++channel) {
    State& state = states_[channel];
    sum += weights_[channel] * state.energy;
    state = {{settled(state.shelf[0]), settled(state.shelf[1])},
             {settled(state.high_pass[0]), settled(state.high_pass[1])},
             0};
  }
  return sum;
}

}  // namespace patchcord
