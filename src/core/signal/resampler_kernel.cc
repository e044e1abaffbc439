#include "resampler_kernel.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "sane_sample.h"

namespace patchcord {
namespace {

// Four floats that are added and multiplied at once. Compilers do not reorder sums of floats, so a
// plain loop stays scalar; with the lanes written out, they use SSE2 or NEON.
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

inline Four four(float value) noexcept { return Four{value, value, value, value}; }

inline void store(const Four& four, float* to) noexcept { std::memcpy(to, &four, sizeof four); }

inline void put_pairs(const Four& a, const Four& b, float* to) noexcept {
  store(Four{a[0], b[0], a[1], b[1]}, to);
  store(Four{a[2], b[2], a[3], b[3]}, to + 4);
}

#if defined(__GNUC__)
#define INLINED __attribute__((always_inline)) inline
#else
#define INLINED inline
#endif
#define TARGET

// As many as fit into the registers of a processor without AVX.
struct Vector {
  struct Type {
    Four low, high;
  };
  static constexpr size_t kLanes = 8;
  static constexpr size_t kBatch = 1;
  static constexpr size_t kTogether = 1;
  static constexpr size_t kTurns = 1;

  INLINED static Type all(float value) noexcept { return {four(value), four(value)}; }
  INLINED static Type load(const float* from) noexcept {
    return {patchcord::load(from), patchcord::load(from + 4)};
  }
  INLINED static void store(const Type& v, float* to) noexcept {
    patchcord::store(v.low, to);
    patchcord::store(v.high, to + 4);
  }
  INLINED static Type add(const Type& a, const Type& b) noexcept {
    return {a.low + b.low, a.high + b.high};
  }
  INLINED static Type fma(const Type& a, const Type& b, const Type& c) noexcept {
    return {a.low * b.low + c.low, a.high * b.high + c.high};
  }
  INLINED static const Type& keep(const Type& v) noexcept { return v; }
  INLINED static void store_pairs(const Type& a, const Type& b, float* to) noexcept {
    put_pairs(a.low, b.low, to);
    put_pairs(a.high, b.high, to + kLanes);
  }
  INLINED static void sum(const Type* v, float* to) noexcept {
    const Four both = v->low + v->high;
    *to = (both[0] + both[2]) + (both[1] + both[3]);
  }
};

#include "resampler_kernel_lanes.h"

#if defined(__GNUC__)
typedef int Mask __attribute__((vector_size(16)));

inline Four filter_sample(Four samples) noexcept {
  const Mask sign = Mask{} + INT32_MIN;
  const Four size = (Four)((Mask)samples & ~sign);
  return (Four)((Mask)samples & (size >= 1e-24f) & (size <= 1e18f));
}
#endif

}  // namespace

void copy_samples(const float* in, size_t count, float* out) noexcept {
  size_t i = 0;
#if defined(__GNUC__)
  for (; i + 4 <= count; i += 4) store(filter_sample(load(in + i)), out + i);
#endif
  for (; i < count; ++i) out[i] = filter_sample(in[i]);
}

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

void add_halves(const float* in, size_t count, float* to) noexcept {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) store(four(0.5f) * load(in + i) + load(to + i), to + i);
  for (; i < count; ++i) to[i] += 0.5f * in[i];
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

const ResamplerKernel kPortableKernel{&filter_bank, &filter_between};

const ResamplerKernel& resampler_kernel() noexcept {
  if (const ResamplerKernel* kernel = avx512_kernel()) return *kernel;
  if (const ResamplerKernel* kernel = avx2_kernel()) return *kernel;
  return kPortableKernel;
}

}  // namespace patchcord
