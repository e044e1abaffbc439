// The resampler's two inner loops, as pointers: chosen once, when a resampler is made, so that
// wider instruction sets can stand behind the same two calls.
#pragma once

#include <cstddef>

namespace patchcord {

constexpr size_t kResamplerLanes = 16;  // taps come in multiples of it; also the order of summation

struct ResamplerKernel {
  // out[c] = sum over k of coefficients[k] * planes[c * stride + k]
  void (*filter)(const float* coefficients, size_t taps, const float* planes, size_t stride,
                 size_t channels, float* out) noexcept;
  // coefficients[k] = row[k] + t * (row[taps + k] + t * (row[2 * taps + k] + t * row[3 * taps +
  // k]))
  void (*interpolate)(const float* row, float t, size_t taps, float* coefficients) noexcept;
};

const ResamplerKernel& resampler_kernel() noexcept;  // the best this processor has

}  // namespace patchcord
