// The resampler's inner loops, as pointers. A resampler chooses them when it is made, by what the
// processor supports.
#pragma once

#include <cstddef>

#include "resampler_position.h"

namespace patchcord {

// lanes of the widest vectors; tables are padded to multiples of it
constexpr size_t kResamplerLanes = 16;

// Makes output frames with a group of rows (BankDesign), a lane for each: lane n of a turn is the
// sum over k of rows[k * kResamplerLanes + n] * in[k], for each channel. Turns share the loads of
// the coefficients.
struct BankJob {
  const float* rows;
  size_t width;     // even
  const float* in;  // interleaved
  size_t channels;
  size_t turns;
  size_t in_step;  // floats between the samples of two turns
  float* out;      // interleaved, without the lanes before `first`
  size_t out_step;
  size_t first;  // the first lane that is needed
  size_t count;
};

// Up to kBetweenFrames frames, `frame_step` samples apart.
constexpr size_t kBetweenFrames = 4;
struct BetweenJob {
  const float* planes;
  size_t stride;
  size_t channels;
  size_t frames;
  size_t frame_step;
  float* out;  // interleaved
};

// The bits of a frame do not depend on the other frames made with it. AVX2 and AVX-512 give the
// same bits for a bank; the portable kernel rounds each product, so it differs from them by
// rounding errors only.
struct ResamplerKernel {
  void (*filter_bank)(const BankJob& job) noexcept;
  // Coefficients between two phases. For frame f, at t[f] of the way: row[k] + t * (row[width + k]
  // + t * (row[2 * width + k] + t * row[3 * width + k])). `scratch` has room for `width`.
  void (*filter_between)(const float* row, const float* t, size_t width, const BetweenJob& job,
                         float* scratch) noexcept;
};

extern const ResamplerKernel kPortableKernel;

// Kernels for x86-64, where the compiler can make functions for more than the baseline. Null with
// other compilers, and on processors without these instructions.
const ResamplerKernel* avx2_kernel() noexcept;
const ResamplerKernel* avx512_kernel() noexcept;

const ResamplerKernel& resampler_kernel() noexcept;  // the best one that this processor supports

// Applies filter_sample to each sample.
void copy_samples(const float* in, size_t count, float* out) noexcept;
// Splits interleaved frames into two planes and applies filter_sample to each sample.
void split_stereo(const float* in, size_t frames, float* left, float* right) noexcept;
// Splits pairs of interleaved frames into the first and the second frames and applies filter_sample
// to each sample.
void split_frames(const float* in, size_t pairs, size_t channels, float* first,
                  float* second) noexcept;
// to[i] += in[i] / 2
void add_halves(const float* in, size_t count, float* to) noexcept;
void merge_frames(const float* first, const float* second, size_t pairs, size_t channels,
                  float* out) noexcept;

}  // namespace patchcord
