#include "resampler_kernel.h"

#include <cstdint>
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

void filter(const float* row, size_t taps, const FilterJob& job) noexcept {
  for (size_t frame = 0; frame < job.frames; ++frame) {
    const float* planes = job.planes + frame * job.frame_step;
    float* out = job.out + frame * job.out_step;
    size_t channel = 0;
    for (; channel + 2 <= job.channels; channel += 2) {
      const float* x = planes + channel * job.stride;
      filter_two(row, taps, x, x + job.stride, out + channel);
    }
    if (channel < job.channels) {
      out[channel] = filter_one(row, taps, planes + channel * job.stride);
    }
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

// The coefficients once, for all channels.
void filter_between(const float* row, const float* t, size_t taps, const FilterJob& job,
                    float* scratch) noexcept {
  FilterJob one = job;
  one.frames = 1;
  for (size_t frame = 0; frame < job.frames; ++frame) {
    interpolate(row, t[frame], taps, scratch);
    filter(scratch, taps, one);
    one.planes += job.frame_step;
    one.out += job.out_step;
  }
}

#if defined(__GNUC__)
typedef int Mask __attribute__((vector_size(16)));

inline Four harmless(Four samples) noexcept {
  const Mask sign = Mask{} + INT32_MIN;
  const Four size = (Four)((Mask)samples & ~sign);
  return (Four)((Mask)samples & (size >= 1e-24f) & (size <= 1e18f));
}
#endif

}  // namespace

void split_stereo(const float* in, size_t frames, float* left, float* right) noexcept {
  size_t i = 0;
#if defined(__GNUC__)
  for (; i + 4 <= frames; i += 4) {
    const Four a = harmless(load(in + 2 * i)), b = harmless(load(in + 2 * i + 4));
    const Four l = {a[0], a[2], b[0], b[2]}, r = {a[1], a[3], b[1], b[3]};
    std::memcpy(left + i, &l, sizeof l);
    std::memcpy(right + i, &r, sizeof r);
  }
#endif
  for (; i < frames; ++i) {
    left[i] = harmless(in[2 * i]);
    right[i] = harmless(in[2 * i + 1]);
  }
}

const ResamplerKernel kPortableKernel{&filter, &filter_between};

const ResamplerKernel& resampler_kernel() noexcept {
  if (const ResamplerKernel* kernel = avx512_kernel()) return *kernel;
  if (const ResamplerKernel* kernel = avx2_kernel()) return *kernel;
  return kPortableKernel;
}

}  // namespace patchcord
