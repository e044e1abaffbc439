#include "resampler_kernel.h"

#include <cstring>

namespace patchcord {
namespace {

// Four floats that are added and multiplied at once. Compilers do not reorder a sum by themselves,
// so plain loops over floats stay scalar; with the lanes spelled out, SSE2 and NEON come for
// nothing.
#if defined(__GNUC__)
typedef float Four __attribute__((vector_size(16)));
#else
struct Four {
  float lane[4];
  float operator[](int i) const { return lane[i]; }
};
inline Four operator+(const Four& a, const Four& b) {
  return {
      {a.lane[0] + b.lane[0], a.lane[1] + b.lane[1], a.lane[2] + b.lane[2], a.lane[3] + b.lane[3]}};
}
inline Four operator*(const Four& a, const Four& b) {
  return {
      {a.lane[0] * b.lane[0], a.lane[1] * b.lane[1], a.lane[2] * b.lane[2], a.lane[3] * b.lane[3]}};
}
#endif

inline Four load(const float* at) noexcept {
  Four four;
  std::memcpy(&four, at, sizeof four);  // history is read at any frame: never aligned
  return four;
}

inline float sum(Four a, Four b, Four c, Four d) noexcept {
  const Four all = (a + c) + (b + d);
  return (all[0] + all[2]) + (all[1] + all[3]);
}

// Two channels at once share the coefficients' loads and keep both adders busy.
inline void filter_two(const float* coefficients, size_t taps, const float* x, const float* y,
                       float* out) noexcept {
  Four x0{}, x1{}, x2{}, x3{}, y0{}, y1{}, y2{}, y3{};
  for (size_t k = 0; k < taps; k += kResamplerLanes) {
    const Four c0 = load(coefficients + k), c1 = load(coefficients + k + 4);
    const Four c2 = load(coefficients + k + 8), c3 = load(coefficients + k + 12);
    x0 = x0 + c0 * load(x + k);
    x1 = x1 + c1 * load(x + k + 4);
    x2 = x2 + c2 * load(x + k + 8);
    x3 = x3 + c3 * load(x + k + 12);
    y0 = y0 + c0 * load(y + k);
    y1 = y1 + c1 * load(y + k + 4);
    y2 = y2 + c2 * load(y + k + 8);
    y3 = y3 + c3 * load(y + k + 12);
  }
  out[0] = sum(x0, x1, x2, x3);
  out[1] = sum(y0, y1, y2, y3);
}

inline float filter_one(const float* coefficients, size_t taps, const float* x) noexcept {
  Four x0{}, x1{}, x2{}, x3{};
  for (size_t k = 0; k < taps; k += kResamplerLanes) {
    x0 = x0 + load(coefficients + k) * load(x + k);
    x1 = x1 + load(coefficients + k + 4) * load(x + k + 4);
    x2 = x2 + load(coefficients + k + 8) * load(x + k + 8);
    x3 = x3 + load(coefficients + k + 12) * load(x + k + 12);
  }
  return sum(x0, x1, x2, x3);
}

void filter(const float* coefficients, size_t taps, const float* planes, size_t stride,
            size_t channels, float* out) noexcept {
  size_t channel = 0;
  for (; channel + 2 <= channels; channel += 2) {
    const float* x = planes + channel * stride;
    filter_two(coefficients, taps, x, x + stride, out + channel);
  }
  if (channel < channels) {
    out[channel] = filter_one(coefficients, taps, planes + channel * stride);
  }
}

void interpolate(const float* row, float t, size_t taps, float* coefficients) noexcept {
  const Four at = {t, t, t, t};
  for (size_t k = 0; k < taps; k += 4) {
    const float* a = row + k;
    const Four value =
        load(a) + at * (load(a + taps) + at * (load(a + 2 * taps) + at * load(a + 3 * taps)));
    std::memcpy(coefficients + k, &value, sizeof value);
  }
}

constexpr ResamplerKernel kPortable{&filter, &interpolate};

}  // namespace

const ResamplerKernel& resampler_kernel() noexcept { return kPortable; }

}  // namespace patchcord
