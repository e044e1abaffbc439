// Peak and energy of interleaved samples, eight at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <cstddef>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#elif defined(__ARM_NEON) || defined(_M_ARM64)
#include <arm_neon.h>
#endif

namespace patchcord {

// Four sums side by side. An addition takes several cycles, and waits for the one before it in the
// same sum. NaN and infinities count as 0. The energies are floats: exact to 0.001 dB for the 25 ms
// of a meter's part, and infinite if samples are above 1e17.
class LevelSums {
 public:
  static constexpr size_t kLanes = 4;

  // Whether all energies are finite.
  bool fits() const noexcept {
    float sum = 0;
    for (const float energy : energies()) sum += energy;
    return sum <= FLT_MAX;
  }

#if defined(__SSE2__) || defined(_M_X64)
  void add(const float* samples) noexcept {
    const __m128 size = _mm_andnot_ps(_mm_set1_ps(-0.0f), _mm_loadu_ps(samples));
    const __m128 sane = _mm_and_ps(size, _mm_cmple_ps(size, _mm_set1_ps(FLT_MAX)));
    peak_ = _mm_max_ps(peak_, sane);
    energy_ = _mm_add_ps(energy_, _mm_mul_ps(sane, sane));
  }
  std::array<float, kLanes> peaks() const noexcept { return stored(peak_); }
  std::array<float, kLanes> energies() const noexcept { return stored(energy_); }

 private:
  static std::array<float, kLanes> stored(__m128 lanes) noexcept {
    std::array<float, kLanes> values;
    _mm_storeu_ps(values.data(), lanes);
    return values;
  }

  __m128 peak_ = _mm_setzero_ps(), energy_ = _mm_setzero_ps();
#elif defined(__ARM_NEON) || defined(_M_ARM64)
  void add(const float* samples) noexcept {
    const float32x4_t size = vabsq_f32(vld1q_f32(samples));
    const uint32x4_t is_sane = vcleq_f32(size, vdupq_n_f32(FLT_MAX));
    const float32x4_t sane = vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(size), is_sane));
    peak_ = vmaxq_f32(peak_, sane);
    energy_ = vaddq_f32(energy_, vmulq_f32(sane, sane));
  }
  std::array<float, kLanes> peaks() const noexcept { return stored(peak_); }
  std::array<float, kLanes> energies() const noexcept { return stored(energy_); }

 private:
  static std::array<float, kLanes> stored(float32x4_t lanes) noexcept {
    std::array<float, kLanes> values;
    vst1q_f32(values.data(), lanes);
    return values;
  }

  float32x4_t peak_ = vdupq_n_f32(0), energy_ = vdupq_n_f32(0);
#else
  void add(const float* samples) noexcept {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float size = std::fabs(samples[lane]);
      const float sane = size <= FLT_MAX ? size : 0;
      peak_[lane] = std::max(peak_[lane], sane);
      energy_[lane] += sane * sane;
    }
  }
  std::array<float, kLanes> peaks() const noexcept { return peak_; }
  std::array<float, kLanes> energies() const noexcept { return energy_; }

 private:
  std::array<float, kLanes> peak_{}, energy_{};
#endif
};

}  // namespace patchcord
