#include "resampler_kernel.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "sane_sample.h"

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

inline Four all(float value) noexcept { return Four{value, value, value, value}; }

inline void store(const Four& four, float* to) noexcept { std::memcpy(to, &four, sizeof four); }

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

void filter(const float* row, size_t width, const float* planes, size_t stride, size_t channels,
            float* out) noexcept {
  size_t channel = 0;
  for (; channel + 2 <= channels; channel += 2) {
    const float* x = planes + channel * stride;
    filter_two(row, width, x, x + stride, out + channel);
  }
  if (channel < channels) out[channel] = filter_one(row, width, planes + channel * stride);
}

void filter_bank(const BankJob& job) noexcept {
  ResamplerPosition at = job.position;
  size_t row = job.row;
  for (size_t frame = 0; frame < std::min(job.frames, job.row_count); ++frame) {
    const float* x = job.planes + at.frame / job.align * job.align;
    for (size_t same = frame; same < job.frames; same += job.row_count, x += job.period) {
      filter(job.rows + row * job.width, job.width, x, job.stride, job.channels,
             job.out + same * job.channels);
    }
    at.step();
    if (++row == job.row_count) row = 0;
  }
}

void interpolate(const float* row, float t, size_t width, float* coefficients) noexcept {
  const Four at = all(t);
  for (size_t k = 0; k < width; k += 4) {
    const float* a = row + k;
    const Four value =
        load(a) + at * (load(a + width) + at * (load(a + 2 * width) + at * load(a + 3 * width)));
    store(value, coefficients + k);
  }
}

// The coefficients once, for all channels.
void filter_between(const float* row, const float* t, size_t width, const BetweenJob& job,
                    float* scratch) noexcept {
  for (size_t frame = 0; frame < job.frames; ++frame) {
    interpolate(row, t[frame], width, scratch);
    filter(scratch, width, job.planes + frame * job.frame_step, job.stride, job.channels,
           job.out + frame * job.channels);
  }
}

void convolve(const SymmetricalFilter& filter, const float* in, const float* middle_in, float* out,
              size_t count) noexcept {
  constexpr size_t kVectors = 4;
  const Four middle = all(filter.middle);
  for (size_t i = 0; i < count; i += 4 * kVectors) {
    const float* x = in + i;
    const float* y = x + (2 * filter.side - 1) * filter.spacing;
    Four sums[kVectors] = {};
    for (size_t k = 0; k < filter.side; ++k, x += filter.spacing, y -= filter.spacing) {
      const Four tap = all(filter.taps[k]);
      for (size_t n = 0; n < kVectors; ++n) {
        sums[n] = sums[n] + tap * (load(x + 4 * n) + load(y + 4 * n));
      }
    }
    for (size_t n = 0; n < kVectors; ++n) {
      store(sums[n] + middle * load(middle_in + i + 4 * n), out + i + 4 * n);
    }
  }
}

#if defined(__GNUC__)
typedef int Mask __attribute__((vector_size(16)));

inline Four filter_sample(Four samples) noexcept {
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
    const Four a = filter_sample(load(in + 2 * i)), b = filter_sample(load(in + 2 * i + 4));
    const Four l = {a[0], a[2], b[0], b[2]}, r = {a[1], a[3], b[1], b[3]};
    store(l, left + i);
    store(r, right + i);
  }
#endif
  for (; i < frames; ++i) {
    left[i] = filter_sample(in[2 * i]);
    right[i] = filter_sample(in[2 * i + 1]);
  }
}

void split_frames(const float* in, size_t pairs, size_t channels, float* first,
                  float* second) noexcept {
  if (channels == 1) return split_stereo(in, pairs, first, second);
  size_t pair = 0;
#if defined(__GNUC__)
  if (channels == 2) {
    for (; pair < pairs; ++pair) {
      const Four both = filter_sample(load(in + 4 * pair));
      std::memcpy(first + 2 * pair, &both, sizeof both / 2);
      const Four swapped = {both[2], both[3], both[0], both[1]};
      std::memcpy(second + 2 * pair, &swapped, sizeof both / 2);
    }
  }
#endif
  for (; pair < pairs; ++pair) {
    const float* from = in + 2 * pair * channels;
    for (size_t c = 0; c < channels; ++c) {
      first[pair * channels + c] = filter_sample(from[c]);
      second[pair * channels + c] = filter_sample(from[channels + c]);
    }
  }
}

void merge_frames(const float* first, const float* second, size_t pairs, size_t channels,
                  float* out) noexcept {
  if (channels == 2) {
    for (size_t pair = 0; pair < pairs; ++pair) {
      std::memcpy(out + 4 * pair, first + 2 * pair, 2 * sizeof(float));
      std::memcpy(out + 4 * pair + 2, second + 2 * pair, 2 * sizeof(float));
    }
    return;
  }
  for (size_t pair = 0; pair < pairs; ++pair, out += 2 * channels) {
    for (size_t c = 0; c < channels; ++c) {
      out[c] = first[pair * channels + c];
      out[channels + c] = second[pair * channels + c];
    }
  }
}

const ResamplerKernel kPortableKernel{&filter_bank, &filter_between, &convolve};

const ResamplerKernel& resampler_kernel() noexcept {
  if (const ResamplerKernel* kernel = avx512_kernel()) return *kernel;
  if (const ResamplerKernel* kernel = avx2_kernel()) return *kernel;
  return kPortableKernel;
}

}  // namespace patchcord
