// AVX2 with FMA, and AVX-512, for processors that have them: a compiler target each, in one file,
// so that the rest of the program stays at the baseline.
#include "resampler_kernel.h"

#if defined(__GNUC__) && defined(__x86_64__)

#include <immintrin.h>

// Of gcc 12's own header for AVX-512, which uses variables that it leaves undefined on purpose.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

// All is inlined into the outer loops, and those fit into the registers: on Windows the stack is
// aligned to 16 bytes only, and vectors that were spilled there would fault.
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512dq")))
#define INLINED __attribute__((always_inline)) inline

namespace patchcord {
namespace {

namespace avx2 {

AVX2 INLINED float sum(__m256 v) noexcept {
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

// kFrames frames of kChannels channels share the loads of the coefficients, which for many phases
// come from the second cache; their sums, a chain each, keep the multipliers busy. One chain a
// frame whatever kFrames is: the order of summation, hence the bits, are the same.
template <size_t kFrames, size_t kChannels>
AVX2 INLINED void filter_group(const float* row, size_t taps, const float* x, const FilterJob& job,
                               float* out) noexcept {
  __m256 sums[kFrames * kChannels];
#pragma GCC unroll 8
  for (size_t n = 0; n < kFrames * kChannels; ++n) sums[n] = _mm256_setzero_ps();
  for (size_t k = 0; k < taps; k += 8) {
    const __m256 c = _mm256_loadu_ps(row + k);
#pragma GCC unroll 8
    for (size_t n = 0; n < kFrames * kChannels; ++n) {
      const float* at = x + n / kChannels * job.frame_step + n % kChannels * job.stride + k;
      sums[n] = _mm256_fmadd_ps(c, _mm256_loadu_ps(at), sums[n]);
    }
  }
#pragma GCC unroll 8
  for (size_t n = 0; n < kFrames * kChannels; ++n) {
    out[n / kChannels * job.out_step + n % kChannels] = sum(sums[n]);
  }
}

template <size_t kChannels>
AVX2 INLINED void filter_channels(const float* row, size_t taps, size_t channel,
                                  const FilterJob& job) noexcept {
  const float* x = job.planes + channel * job.stride;
  float* out = job.out + channel;
  size_t frame = 0;
  for (; frame + 4 <= job.frames; frame += 4) {
    filter_group<4, kChannels>(row, taps, x + frame * job.frame_step, job,
                               out + frame * job.out_step);
  }
  x += frame * job.frame_step;
  out += frame * job.out_step;
  switch (job.frames - frame) {
    case 3:
      return filter_group<3, kChannels>(row, taps, x, job, out);
    case 2:
      return filter_group<2, kChannels>(row, taps, x, job, out);
    case 1:
      return filter_group<1, kChannels>(row, taps, x, job, out);
  }
}

AVX2 void filter(const float* row, size_t taps, const FilterJob& job) noexcept {
  size_t channel = 0;
  for (; channel + 2 <= job.channels; channel += 2) filter_channels<2>(row, taps, channel, job);
  if (channel < job.channels) filter_channels<1>(row, taps, channel, job);
}

AVX2 INLINED __m256 between(__m256 a, __m256 b, __m256 c, __m256 d, __m256 t) noexcept {
  return _mm256_fmadd_ps(_mm256_fmadd_ps(_mm256_fmadd_ps(d, t, c), t, b), t, a);
}

// Stereo, the usual case, without the way through memory.
template <size_t kFrames>
AVX2 INLINED void between_stereo(const float* row, const float* t, size_t taps,
                                 const FilterJob& job) noexcept {
  __m256 at[kFrames], sums[kFrames * 2];
#pragma GCC unroll 8
  for (size_t n = 0; n < kFrames; ++n) at[n] = _mm256_set1_ps(t[n]);
#pragma GCC unroll 8
  for (size_t n = 0; n < kFrames * 2; ++n) sums[n] = _mm256_setzero_ps();
  for (size_t k = 0; k < taps; k += 8) {
    const __m256 a = _mm256_loadu_ps(row + k), b = _mm256_loadu_ps(row + taps + k);
    const __m256 c = _mm256_loadu_ps(row + 2 * taps + k), d = _mm256_loadu_ps(row + 3 * taps + k);
#pragma GCC unroll 8
    for (size_t n = 0; n < kFrames; ++n) {
      const __m256 value = between(a, b, c, d, at[n]);
      const float* x = job.planes + n * job.frame_step + k;
      sums[2 * n] = _mm256_fmadd_ps(value, _mm256_loadu_ps(x), sums[2 * n]);
      sums[2 * n + 1] = _mm256_fmadd_ps(value, _mm256_loadu_ps(x + job.stride), sums[2 * n + 1]);
    }
  }
#pragma GCC unroll 8
  for (size_t n = 0; n < kFrames * 2; ++n) {
    job.out[n / 2 * job.out_step + n % 2] = sum(sums[n]);
  }
}

AVX2 void filter_between(const float* row, const float* t, size_t taps, const FilterJob& job,
                         float* scratch) noexcept {
  if (job.channels == 2) {
    return job.frames == 2 ? between_stereo<2>(row, t, taps, job)
                           : between_stereo<1>(row, t, taps, job);
  }
  FilterJob one = job;
  one.frames = 1;
  for (size_t n = 0; n < job.frames; ++n) {
    const __m256 at = _mm256_set1_ps(t[n]);
    for (size_t k = 0; k < taps; k += 8) {
      const float* from = row + k;
      _mm256_storeu_ps(scratch + k, between(_mm256_loadu_ps(from), _mm256_loadu_ps(from + taps),
                                            _mm256_loadu_ps(from + 2 * taps),
                                            _mm256_loadu_ps(from + 3 * taps), at));
    }
    filter(scratch, taps, one);
    one.planes += job.frame_step;
    one.out += job.out_step;
  }
}

constexpr ResamplerKernel kKernel{&filter, &filter_between};

}  // namespace avx2

namespace avx512 {

AVX512 INLINED float sum(__m512 v) noexcept {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

// kFrames frames of kChannels channels share the loads of the coefficients, which for many phases
// come from the second cache; their sums, a chain each, keep the multipliers busy. One chain a
// frame whatever kFrames is: the order of summation, hence the bits, are the same.
template <size_t kFrames, size_t kChannels>
AVX512 INLINED void filter_group(const float* row, size_t taps, const float* x,
                                 const FilterJob& job, float* out) noexcept {
  __m512 sums[kFrames * kChannels];
#pragma GCC unroll 8
  for (size_t n = 0; n < kFrames * kChannels; ++n) sums[n] = _mm512_setzero_ps();
  for (size_t k = 0; k < taps; k += 16) {
    const __m512 c = _mm512_loadu_ps(row + k);
#pragma GCC unroll 8
    for (size_t n = 0; n < kFrames * kChannels; ++n) {
      const float* at = x + n / kChannels * job.frame_step + n % kChannels * job.stride + k;
      sums[n] = _mm512_fmadd_ps(c, _mm512_loadu_ps(at), sums[n]);
    }
  }
#pragma GCC unroll 8
  for (size_t n = 0; n < kFrames * kChannels; ++n) {
    out[n / kChannels * job.out_step + n % kChannels] = sum(sums[n]);
  }
}

template <size_t kChannels>
AVX512 INLINED void filter_channels(const float* row, size_t taps, size_t channel,
                                    const FilterJob& job) noexcept {
  const float* x = job.planes + channel * job.stride;
  float* out = job.out + channel;
  size_t frame = 0;
  for (; frame + 4 <= job.frames; frame += 4) {
    filter_group<4, kChannels>(row, taps, x + frame * job.frame_step, job,
                               out + frame * job.out_step);
  }
  x += frame * job.frame_step;
  out += frame * job.out_step;
  switch (job.frames - frame) {
    case 3:
      return filter_group<3, kChannels>(row, taps, x, job, out);
    case 2:
      return filter_group<2, kChannels>(row, taps, x, job, out);
    case 1:
      return filter_group<1, kChannels>(row, taps, x, job, out);
  }
}

AVX512 void filter(const float* row, size_t taps, const FilterJob& job) noexcept {
  size_t channel = 0;
  for (; channel + 2 <= job.channels; channel += 2) filter_channels<2>(row, taps, channel, job);
  if (channel < job.channels) filter_channels<1>(row, taps, channel, job);
}

AVX512 INLINED __m512 between(__m512 a, __m512 b, __m512 c, __m512 d, __m512 t) noexcept {
  return _mm512_fmadd_ps(_mm512_fmadd_ps(_mm512_fmadd_ps(d, t, c), t, b), t, a);
}

// Stereo, the usual case, without the way through memory.
template <size_t kFrames>
AVX512 INLINED void between_stereo(const float* row, const float* t, size_t taps,
                                   const FilterJob& job) noexcept {
  __m512 at[kFrames], sums[kFrames * 2];
#pragma GCC unroll 8
  for (size_t n = 0; n < kFrames; ++n) at[n] = _mm512_set1_ps(t[n]);
#pragma GCC unroll 8
  for (size_t n = 0; n < kFrames * 2; ++n) sums[n] = _mm512_setzero_ps();
  for (size_t k = 0; k < taps; k += 16) {
    const __m512 a = _mm512_loadu_ps(row + k), b = _mm512_loadu_ps(row + taps + k);
    const __m512 c = _mm512_loadu_ps(row + 2 * taps + k), d = _mm512_loadu_ps(row + 3 * taps + k);
#pragma GCC unroll 8
    for (size_t n = 0; n < kFrames; ++n) {
      const __m512 value = between(a, b, c, d, at[n]);
      const float* x = job.planes + n * job.frame_step + k;
      sums[2 * n] = _mm512_fmadd_ps(value, _mm512_loadu_ps(x), sums[2 * n]);
      sums[2 * n + 1] = _mm512_fmadd_ps(value, _mm512_loadu_ps(x + job.stride), sums[2 * n + 1]);
    }
  }
#pragma GCC unroll 8
  for (size_t n = 0; n < kFrames * 2; ++n) {
    job.out[n / 2 * job.out_step + n % 2] = sum(sums[n]);
  }
}

AVX512 void filter_between(const float* row, const float* t, size_t taps, const FilterJob& job,
                           float* scratch) noexcept {
  if (job.channels == 2) {
    return job.frames == 2 ? between_stereo<2>(row, t, taps, job)
                           : between_stereo<1>(row, t, taps, job);
  }
  FilterJob one = job;
  one.frames = 1;
  for (size_t n = 0; n < job.frames; ++n) {
    const __m512 at = _mm512_set1_ps(t[n]);
    for (size_t k = 0; k < taps; k += 16) {
      const float* from = row + k;
      _mm512_storeu_ps(scratch + k, between(_mm512_loadu_ps(from), _mm512_loadu_ps(from + taps),
                                            _mm512_loadu_ps(from + 2 * taps),
                                            _mm512_loadu_ps(from + 3 * taps), at));
    }
    filter(scratch, taps, one);
    one.planes += job.frame_step;
    one.out += job.out_step;
  }
}

constexpr ResamplerKernel kKernel{&filter, &filter_between};

}  // namespace avx512

}  // namespace

const ResamplerKernel* avx2_kernel() noexcept {
  const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return has ? &avx2::kKernel : nullptr;
}

const ResamplerKernel* avx512_kernel() noexcept {
  const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
  return has ? &avx512::kKernel : nullptr;
}

}  // namespace patchcord

#else

namespace patchcord {

const ResamplerKernel* avx2_kernel() noexcept { return nullptr; }
const ResamplerKernel* avx512_kernel() noexcept { return nullptr; }

}  // namespace patchcord

#endif
