#include "../../src/core/signal/dither.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "../../src/core/signal/format.h"
#include "check.h"
#include "random_signal.h"
#include "sine_fit.h"

using namespace patchcord;

namespace {

constexpr size_t kCount = 1 << 20;
constexpr double kLsb = 0x1p-15;

std::vector<int16_t> dithered(const std::vector<float>& samples) {
  std::vector<int16_t> out(samples.size());
  Dither dither;
  from_float(samples.data(), SampleFormat::kS16, out.data(), samples.size(), dither);
  return out;
}

// The errors of rounding `samples` with dither, in LSB of s16.
std::vector<double> errors_of(const std::vector<float>& samples) {
  const std::vector<int16_t> out = dithered(samples);
  std::vector<double> errors(samples.size());
  for (size_t i = 0; i < errors.size(); ++i) {
    errors[i] = out[i] - static_cast<double>(samples[i]) / kLsb;
  }
  return errors;
}

double mean_product(const std::vector<double>& values, size_t lag) {
  double sum = 0;
  for (size_t i = lag; i < values.size(); ++i) sum += values[i] * values[i - lag];
  return sum / static_cast<double>(values.size() - lag);
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

TEST("the noise is triangular between -1 and 1, and its mean is 0") {
  Dither dither;
  std::vector<double> noise(kCount);
  int inner = 0;
  for (double& value : noise) {
    value = dither.next(0);
    CHECK(value > -1 && value < 1);
    inner += std::fabs(value) < 0.5;
  }
  CHECK_NEAR(mean(noise), 0, 0.002);
  CHECK_NEAR(mean_product(noise, 0), 1.0 / 6, 0.001);
  CHECK_NEAR(static_cast<double>(inner) / kCount, 0.75, 0.002);  // three quarters of the triangle
}

TEST("the error has mean 0 and the power of theory, 1/4 LSB^2, whatever lies between two steps") {
  for (const double part : {0.0, 0.1, 0.25, 0.5, 0.9}) {
    const auto level = static_cast<float>((100 + part) * kLsb);
    const std::vector<double> errors = errors_of(std::vector<float>(kCount, level));
    CHECK_NEAR(mean(errors), 0, 0.0025);
    CHECK_NEAR(mean_product(errors, 0), 0.25, 0.0025);
  }
}

TEST("the error is white: no two samples have to do with each other, silence or tone") {
  const std::vector<float> signals[] = {std::vector<float>(kCount, 0),
                                        sine(997, 48000, kCount, 1, 1e-4),
                                        sine(997, 48000, kCount, 1, 0.5)};
  for (const std::vector<float>& signal : signals) {
    const std::vector<double> errors = errors_of(signal);
    // 5 sigma of an estimate from so many samples.
    const double bound = 0.25 * 5 / std::sqrt(static_cast<double>(kCount));
    for (size_t lag = 1; lag <= 64; ++lag) CHECK_NEAR(mean_product(errors, lag), 0, bound);
  }
}

TEST("the noises of two streams have nothing to do with each other, also if both begin alike") {
  std::vector<float> one = sine(440, 48000, kCount, 1, 0.1),
                     other = sine(1000, 48000, kCount, 1, 0.1);
  one.insert(one.begin(), 4800, 0.0f);
  other.insert(other.begin(), 4800, 0.0f);
  const std::vector<double> a = errors_of(one), b = errors_of(other);
  double product = 0;
  for (size_t i = 4800 + 480; i < a.size(); ++i) product += a[i] * b[i];
  const double correlation = product / static_cast<double>(a.size()) / 0.25;
  CHECK_NEAR(correlation, 0, 5 / std::sqrt(static_cast<double>(kCount)));
}

TEST("a sine of -100 dBFS survives s16 undistorted; rounded to nearest it is lost") {
  const std::vector<float> quiet = sine(997, 48000, kCount, 1, 1e-5);
  std::vector<int16_t> plain(kCount);
  from_float(quiet.data(), SampleFormat::kS16, plain.data(), kCount);
  CHECK(plain == std::vector<int16_t>(kCount));

  const std::vector<int16_t> out = dithered(quiet);
  std::vector<float> heard(kCount);
  to_float(out.data(), SampleFormat::kS16, heard.data(), kCount);
  for (const int harmonic : {1, 2, 3, 5, 7}) {
    const SineFit fit = fit_sine(heard.data(), 1, kCount, [&](size_t i) {
      return 997.0 * harmonic * static_cast<double>(i) / 48000;
    });
    CHECK_NEAR(fit.level, harmonic == 1 ? 1e-5 : 0, 0.005 * kLsb);
  }
}

TEST("the same input gives the same bytes however it is cut, also in s24") {
  RandomSignal random(21);
  const std::vector<float> samples = random.samples(30000);
  for (const SampleFormat format : {SampleFormat::kS16, SampleFormat::kS24}) {
    const size_t size = bytes_per_sample(format);
    std::vector<uint8_t> whole(samples.size() * size), cut(whole.size());
    Dither one, other;
    from_float(samples.data(), format, whole.data(), samples.size(), one);
    for (size_t at = 0; at < samples.size();) {
      const size_t count = std::min<size_t>(samples.size() - at, random.whole(0, 700));
      from_float(samples.data() + at, format, cut.data() + at * size, count, other);
      at += count;
    }
    CHECK(whole == cut);
  }
}

TEST("noise at full scale clips, and what is no number stays silence") {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<int16_t> high = dithered(std::vector<float>(1000, 1.0f));
  const std::vector<int16_t> low = dithered(std::vector<float>(1000, -1.0f));
  for (size_t i = 0; i < 1000; ++i) CHECK(high[i] >= 32766 && low[i] <= -32767);
  CHECK(dithered({inf, -inf, nan}) == (std::vector<int16_t>{32767, -32768, 0}));
}

TEST("s32 and f32 are as without") {
  const std::vector<float> samples = RandomSignal(22).samples(1000);
  for (const SampleFormat format : {SampleFormat::kS32, SampleFormat::kF32}) {
    std::vector<uint32_t> with(1000), without(1000);
    Dither dither;
    from_float(samples.data(), format, with.data(), 1000, dither);
    from_float(samples.data(), format, without.data(), 1000);
    CHECK(with == without);
  }
}
