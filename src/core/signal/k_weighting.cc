#include "k_weighting.h"

#include <algorithm>
#include <cmath>

#include "sane_sample.h"

namespace patchcord {
namespace {

using Biquad = KWeighting::Biquad;

constexpr double kPi = 3.14159265358979323846;

// The filters as BS.1770 publishes them, for 48 kHz only.
constexpr double kPublishedRate = 48000;
constexpr Biquad kShelf = {1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241,
                           0.73248077421585};
constexpr Biquad kHighPass = {1, -2, 1, -1.99004745483398, 0.99007225036621};

// The frequency at which gains are matched: BS.1770's tones are there, and voices.
constexpr double kMatchedHz = 1000;

// sin(w / 2)^2, in which the squared magnitude of c0 + c1/z + c2/z^2 is a parabola.
double place_of(double hz, double rate) {
  const double sine = std::sin(kPi * hz / rate);
  return sine * sine;
}

double power(double c0, double c1, double c2, double place) {
  const double low = c0 + c1 + c2, high = c0 - c1 + c2;
  return low * low * (1 - place) + high * high * place - 16 * c0 * c2 * place * (1 - place);
}

double power(const Biquad& filter, double place) {
  return power(filter.b0, filter.b1, filter.b2, place) / power(1, filter.a1, filter.a2, place);
}

double published_power(const Biquad& filter, double hz) {
  return power(filter, place_of(hz, kPublishedRate));
}

// The published poles ring as long, and as high, at another rate when they are raised to the ratio
// of the periods.
Biquad with_poles_of(const Biquad& published, double rate) {
  const double radius = std::sqrt(published.a2);
  const double angle = std::acos(-published.a1 / (2 * radius));
  const double ratio = kPublishedRate / rate;
  const double moved = std::pow(radius, ratio);
  return {1, 0, 0, -2 * moved * std::cos(ratio * angle), moved * moved};
}

// Zeros such that the gain is the published one at 0 Hz, at the middle and at the highest frequency
// that both have (M. Vicanek, Matched Second Order Digital Filters, 2016). A bilinear transform of
// the analogue filter, the usual way, is 0.5 dB off at 8 kHz; this is 0.05.
Biquad shelf_at(double rate) {
  Biquad shelf = with_poles_of(kShelf, rate);
  const auto numerator_at = [&shelf](double published, double place) {
    return published * power(1, shelf.a1, shelf.a2, place);
  };
  const double place = place_of(kMatchedHz, rate);
  const double low = numerator_at(published_power(kShelf, 0), 0);
  const double top_hz = std::min(rate, kPublishedRate) / 2;
  const double high = numerator_at(published_power(kShelf, top_hz), 1);
  const double middle = numerator_at(published_power(kShelf, kMatchedHz), place);
  const double product =
      (middle - low * (1 - place) - high * place) / (4 * place * (1 - place));  // -4 b0 b2
  const double even = (std::sqrt(low) + std::sqrt(high)) / 2;                   // b0 + b2
  shelf.b0 = (even + std::sqrt(even * even + product)) / 2;
  shelf.b1 = (std::sqrt(low) - std::sqrt(high)) / 2;
  shelf.b2 = -product / (4 * shelf.b0);
  return shelf;
}

// In BS.1770 a surround at 60 to 120 degrees weighs 1.41, all else 1 (table 4).
constexpr double kSurround = 1.41;

// A state below this counts as silence: it would become a denormal on its way to 0.
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

KWeighting::KWeighting(uint32_t sample_rate, uint32_t channels) noexcept
    : channels_(channels), shelf_(shelf_at(sample_rate)) {
  high_pass_ = with_poles_of(kHighPass, sample_rate);
  high_pass_.b1 = -2;
  high_pass_.b2 = 1;
  // Its zeros stay at 0 Hz; the shelf's carry its gain.
  const double gain = std::sqrt(published_power(kHighPass, kMatchedHz) /
                                power(high_pass_, place_of(kMatchedHz, sample_rate)));
  shelf_.b0 *= gain;
  shelf_.b1 *= gain;
  shelf_.b2 *= gain;
  for (uint32_t channel = 0; channel < channels; ++channel) {
    weights_[channel] = channel_weight(channels, channel);
  }
}

void KWeighting::reset() noexcept { states_.fill({}); }

bool KWeighting::silent() const noexcept {
  return std::all_of(states_.begin(), states_.begin() + channels_, [](const State& state) {
    return state.energy == 0 && state.shelf[0] == 0 && state.shelf[1] == 0 &&
           state.high_pass[0] == 0 && state.high_pass[1] == 0;
  });
}

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
