// Kernels for processors with AVX2 and FMA, or AVX-512. Each function names its compiler target, so
// that the rest of the program stays at the baseline.
#include "resampler_kernel.h"

#if defined(__GNUC__) && defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

// GCC 12's own header for AVX-512 uses variables that it leaves undefined on purpose.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

// All functions are inlined into the outer loops, which fit into the registers. On Windows the
// stack is aligned to 16 bytes only, and vectors spilled there would fault.
#define INLINED __attribute__((always_inline)) inline

namespace patchcord {
namespace {

namespace avx2 {

#define TARGET __attribute__((target("avx2,fma")))

struct Vector {
  using Type = __m256;
  static constexpr size_t kLanes = 8;
  static constexpr size_t kBatch = 4;
  static constexpr size_t kTogether = 2;
  static constexpr size_t kTurns = 1;

  TARGET INLINED static Type all(float value) noexcept { return _mm256_set1_ps(value); }
  TARGET INLINED static Type load(const float* from) noexcept { return _mm256_loadu_ps(from); }
  TARGET INLINED static void store(Type v, float* to) noexcept { _mm256_storeu_ps(to, v); }
  TARGET INLINED static Type add(Type a, Type b) noexcept { return _mm256_add_ps(a, b); }
  TARGET INLINED static Type fma(Type a, Type b, Type c) noexcept {
    return _mm256_fmadd_ps(a, b, c);
  }

  // Keeps the value in a register; the compiler would load it again for each use.
  TARGET INLINED static Type keep(Type v) noexcept {
    __asm__("" : "+x"(v));
    return v;
  }
  TARGET INLINED static void store_pairs(Type a, Type b, float* to) noexcept {
    const Type low = _mm256_unpacklo_ps(a, b), high = _mm256_unpackhi_ps(a, b);
    store(_mm256_permute2f128_ps(low, high, 0x20), to);
    store(_mm256_permute2f128_ps(low, high, 0x31), to + kLanes);
  }

  // The sum of each of kBatch vectors. Adding the two halves of a vector makes a shorter one, which
  // leaves room for the sums of another vector.
  TARGET INLINED static void sum(const Type* v, float* to) noexcept {
    const Type even = halves(v[0], v[2]), odd = halves(v[1], v[3]);
    Type sums =
        _mm256_add_ps(_mm256_shuffle_ps(even, odd, 0x88), _mm256_shuffle_ps(even, odd, 0xdd));
    sums = _mm256_add_ps(sums, _mm256_permute_ps(sums, 0xb1));
    sums = _mm256_shuffle_ps(sums, sums, 0x88);
    const __m256d pairs = _mm256_permute4x64_pd(_mm256_castps_pd(sums), 0x08);
    _mm_storeu_ps(to, _mm256_castps256_ps128(_mm256_castpd_ps(pairs)));
  }

 private:
  TARGET INLINED static Type halves(Type a, Type b) noexcept {
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
  }
};

#include "resampler_kernel_lanes.h"

constexpr ResamplerKernel kKernel{&filter_bank, &filter_between};

#undef TARGET

}  // namespace avx2

namespace avx512 {

#define TARGET __attribute__((target("avx512f,avx512dq")))

struct Vector {
  using Type = __m512;
  static constexpr size_t kLanes = 16;
  static constexpr size_t kBatch = 8;
  static constexpr size_t kTogether = 1;
  static constexpr size_t kTurns = 4;

  TARGET INLINED static Type all(float value) noexcept { return _mm512_set1_ps(value); }
  TARGET INLINED static Type load(const float* from) noexcept { return _mm512_loadu_ps(from); }
  TARGET INLINED static void store(Type v, float* to) noexcept { _mm512_storeu_ps(to, v); }
  TARGET INLINED static Type add(Type a, Type b) noexcept { return _mm512_add_ps(a, b); }
  TARGET INLINED static Type fma(Type a, Type b, Type c) noexcept {
    return _mm512_fmadd_ps(a, b, c);
  }

  TARGET INLINED static Type keep(Type v) noexcept { return v; }
  TARGET INLINED static void store_pairs(Type a, Type b, float* to) noexcept {
    const __m512i low = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    store(_mm512_permutex2var_ps(a, low, b), to);
    store(_mm512_permutex2var_ps(a, high, b), to + kLanes);
  }

  TARGET INLINED static void sum(const Type* v, float* to) noexcept {
    const Type even = quarters(v[0], v[2], v[4], v[6]), odd = quarters(v[1], v[3], v[5], v[7]);
    Type sums =
        _mm512_add_ps(_mm512_shuffle_ps(even, odd, 0x88), _mm512_shuffle_ps(even, odd, 0xdd));
    sums = _mm512_add_ps(sums, _mm512_permute_ps(sums, 0xb1));
    sums = _mm512_shuffle_ps(sums, sums, 0x88);
    const __m512i places = _mm512_set_epi64(6, 4, 2, 0, 6, 4, 2, 0);
    const __m512d pairs = _mm512_permutexvar_pd(places, _mm512_castps_pd(sums));
    _mm256_storeu_ps(to, _mm512_castps512_ps256(_mm512_castpd_ps(pairs)));
  }

 private:
  TARGET INLINED static Type quarters(Type a, Type b, Type c, Type d) noexcept {
    const Type ab = halves(a, b), cd = halves(c, d);
    return _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
  }
  TARGET INLINED static Type halves(Type a, Type b) noexcept {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
  }
};

#include "resampler_kernel_lanes.h"

// Few turns have too few sums for wide vectors: each waits for its last product, and Zen 4 takes
// twice the time for one turn of two channels, or three of one. AVX2 makes twice as many sums, and
// the same bits.
void filter_bank_by_turns(const BankJob& job) noexcept {
  const size_t few = job.channels == 1 ? 3 : 1, rest = job.turns % Vector::kTurns;
  if (rest == 0 || rest > few) return filter_bank(job);
  const size_t before = job.turns - rest;
  BankJob last = job;
  if (before > 0) {
    last.turns = before;
    filter_bank(last);
  }
  last.turns = rest;
  last.in += before * job.in_step;
  last.out += before * job.out_step;
  avx2::filter_bank(last);
}

constexpr ResamplerKernel kKernel{&filter_bank_by_turns, &filter_between};

#undef TARGET

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
