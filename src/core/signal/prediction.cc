#include "prediction.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace patchcord {
namespace {

// A tone needs an order of two. A higher order would follow noise and single pulses.
constexpr size_t kMostOrder = 16;
constexpr size_t kFramesPerOrder = 3;
constexpr double kLoudest = 2;  // peak of a prediction, as a multiple of the recent peak
constexpr double kNothing = 1e-20;

struct Model {
  std::array<double, kMostOrder> factors{};  // of the frames before, the latest one first
  size_t order = 0;
};

// Burg's method finds the reflection coefficients of a lattice filter with the least error forwards
// and backwards. No coefficient is above 1, so the prediction does not grow.
Model model_of(std::array<double, Recent::kMost>& forward, size_t frames) noexcept {
  std::array<double, Recent::kMost> backward = forward;
  Model model;
  const size_t most = std::min(kMostOrder, frames / kFramesPerOrder);
  for (size_t m = 0; m < most; ++m) {
    double both = 0, power = 0;
    for (size_t i = m + 1; i < frames; ++i) {
      both += forward[i] * backward[i - 1];
      power += forward[i] * forward[i] + backward[i - 1] * backward[i - 1];
    }
    if (power < kNothing) break;
    const double reflection = 2 * both / power;
    const std::array<double, kMostOrder> before = model.factors;
    for (size_t i = 0; i < m; ++i) model.factors[i] -= reflection * before[m - 1 - i];
    model.factors[m] = reflection;
    model.order = m + 1;
    for (size_t i = frames - 1; i > m; --i) {
      const double ahead = forward[i];
      forward[i] = ahead - reflection * backward[i - 1];
      backward[i] = backward[i - 1] - reflection * ahead;
    }
  }
  return model;
}

}  // namespace

void predict(const Recent& recent, float* out, size_t count) noexcept {
  const size_t frames = recent.frames();
  const uint32_t channels = recent.channels();
  for (uint32_t c = 0; c < channels; ++c) {
    const float* const samples = recent.data() + c;
    std::array<double, Recent::kMost> work;
    double peak = 0;
    for (size_t i = 0; i < frames; ++i) {
      const float sample = samples[i * channels];
      work[i] = std::isfinite(sample) ? static_cast<double>(sample) : 0;
      peak = std::max(peak, std::abs(work[i]));
    }
    std::array<double, kMostOrder> latest{};  // the last one first
    for (size_t i = 0; i < std::min(kMostOrder, frames); ++i) latest[i] = work[frames - 1 - i];
    Model model = model_of(work, frames);
    if (model.order == 0) {  // too few frames for a model: the last one is held
      model.factors[0] = 1;
      model.order = 1;
    }
    for (size_t i = 0; i < count; ++i) {
      double next = 0;
      for (size_t k = 0; k < model.order; ++k) next += model.factors[k] * latest[k];
      std::copy_backward(latest.begin(), latest.end() - 1, latest.end());
      latest[0] = next;
      out[i * channels + c] =
          static_cast<float>(std::clamp(next, -kLoudest * peak, kLoudest * peak));
    }
  }
}

}  // namespace patchcord
