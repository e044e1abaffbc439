// The resampler's inner loops, as pointers: chosen once, when a resampler is made, by what the
// processor has.
#pragma once

#include <cmath>
#include <cstddef>

namespace patchcord {

constexpr size_t kResamplerLanes = 16;  // taps come in multiples of it

// The frames that one row of coefficients makes: the first lies at `planes`, each further one
// `frame_step` samples on; a plane for each channel, `stride` apart. Frame f of channel c goes to
// out[f * out_step + c].
struct FilterJob {
  const float* planes;
  size_t stride;
  size_t channels;
  size_t frames;
  size_t frame_step;
  float* out;
  size_t out_step;
};

// A frame's bits do not depend on which others are made with it.
struct ResamplerKernel {
  // The sum over k of row[k] * samples[k]
  void (*filter)(const float* row, size_t taps, const FilterJob& job) noexcept;
  // The same for one frame or two, with coefficients between two phases, t[f] of the way:
  // row[k] + t * (row[taps + k] + t * (row[2 * taps + k] + t * row[3 * taps + k]))
  // `scratch` has room for taps.
  void (*filter_between)(const float* row, const float* t, size_t taps, const FilterJob& job,
                         float* scratch) noexcept;
};

extern const ResamplerKernel kPortableKernel;

// x86-64, where the compiler can make functions for more than the baseline; otherwise null, as on
// processors that lack them.
const ResamplerKernel* avx2_kernel() noexcept;
const ResamplerKernel* avx512_kernel() noexcept;

const ResamplerKernel& resampler_kernel() noexcept;  // the best this processor has

// What would poison a sum counts as 0: what is not finite, or beyond 1e18, which no sum of signals
// is; and, far below the last bit of any format, what would become denormal numbers when multiplied
// by a coefficient, which some processors compute a hundred times slower.
inline float harmless(float sample) noexcept {
  const float size = std::fabs(sample);
  return size >= 1e-24f && size <= 1e18f ? sample : 0.0f;
}

// Interleaved frames into two planes, harmless.
void split_stereo(const float* in, size_t frames, float* left, float* right) noexcept;

}  // namespace patchcord
