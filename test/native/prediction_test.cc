#include "../../src/core/signal/prediction.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "../../src/core/signal/smoothstep.h"
#include "check.h"
#include "sine_fit.h"

using namespace patchcord;

namespace {

constexpr size_t kAhead = 144;

// The prediction that follows the first `known` frames of `sound`, which has one channel.
std::vector<float> continued(const std::vector<float>& sound, size_t known, uint32_t rate = 48000) {
  Recent recent(1, rate);
  for (size_t i = 0; i < known; i += 64) recent.add(&sound[i], std::min<size_t>(64, known - i));
  std::vector<float> out(kAhead);
  predict(recent, out.data(), kAhead);
  return out;
}

// The largest difference that is left after the fall.
double most_apart(const std::vector<float>& a, const float* b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double fallen = smoothstep(1 - static_cast<double>(i + 1) / kAhead);
    most = std::max<double>(most, fallen * std::fabs(a[i] - b[i]));
  }
  return most;
}

}  // namespace

TEST("tones are continued as they are, one or several, low or high, at every rate") {
  for (const uint32_t rate : {8000u, 44100u, 48000u, 192000u, 384000u}) {
    for (const double hz : {50.0, 220.0, 440.0, 1000.0, 3000.0}) {
      const std::vector<float> sound = sine(hz, rate, 3000, 1, 0.5);
      CHECK(most_apart(continued(sound, 2000, rate), &sound[2000]) < 0.03);
    }
  }
  std::vector<float> chord(3000);
  for (const double hz : {277.0, 440.0, 660.0, 1250.0}) {
    const std::vector<float> one = sine(hz, 48000, chord.size(), 1, 0.2, 0);
    for (size_t i = 0; i < chord.size(); ++i) chord[i] += one[i];
  }
  CHECK_NEAR(most_apart(continued(chord, 2000), &chord[2000]), 0, 0.15);
}

TEST("each channel is continued for itself") {
  const std::vector<float> low = sine(440, 48000, 3000, 1, 0.5),
                           high = sine(1000, 48000, 3000, 1, 0.3);
  std::vector<float> both;
  for (size_t i = 0; i < low.size(); ++i) both.insert(both.end(), {low[i], high[i]});
  Recent recent(2, 48000);
  recent.add(both.data(), 2000);
  std::vector<float> out(2 * kAhead);
  predict(recent, out.data(), kAhead);
  std::vector<float> left, right;
  for (size_t i = 0; i < kAhead; ++i) {
    left.push_back(out[2 * i]);
    right.push_back(out[2 * i + 1]);
  }
  CHECK(most_apart(left, &low[2000]) < 0.03);
  CHECK(most_apart(right, &high[2000]) < 0.03);
}

TEST("whatever came before, what is predicted begins without a leap and does not grow") {
  std::vector<float> pulse(2000), ramp(2000), loud(2000), broken(2000, 0.5f);
  std::fill(pulse.begin() + 1900, pulse.end(), 0.0f);
  pulse[1990] = 1;
  for (size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i) / 2000;
  for (size_t i = 0; i < loud.size(); ++i) loud[i] = i % 2 == 0 ? 3e38f : -3e38f;
  broken[1950] = std::numeric_limits<float>::quiet_NaN();
  broken[1951] = std::numeric_limits<float>::infinity();
  for (const std::vector<float>& sound : {pulse, ramp, loud, broken}) {
    for (const size_t known : {2000, 1999, 1995}) {
      const std::vector<float> out = continued(sound, known);
      const double peak =
          std::fabs(*std::max_element(sound.begin(), sound.end(), [](float a, float b) {
            return (std::isfinite(a) ? std::fabs(a) : 0) < (std::isfinite(b) ? std::fabs(b) : 0);
          }));
      for (const float sample : out) CHECK(std::fabs(sample) <= 2 * peak);
    }
  }
  CHECK_NEAR(continued(ramp, 2000).front(), 1, 0.01);
  const std::vector<float> constant(2000, 0.25f);
  CHECK(most_apart(continued(constant, 2000), constant.data()) < 1e-3);
}

TEST("of a few frames the last one is held") {
  for (const size_t known : {1, 2}) {
    const std::vector<float> sound(known, 0.25f);
    for (const float sample : continued(sound, known)) CHECK(sample == 0.25f);
  }
  CHECK(continued({}, 0) == std::vector<float>(kAhead));
}
