// The resampler's inner loops, as pointers: chosen once, when a resampler is made, by what the
// processor has.
#pragma once

#include <cstddef>

#include "resampler_position.h"

namespace patchcord {

constexpr size_t kResamplerLanes = 16;  // of the widest vectors; tables come in multiples of it

// Output frames that are made by a group of rows (BankDesign), a lane each: lane n of a turn is the
// sum over k of rows[k * kResamplerLanes + n] * in[k], for each channel. Turns share the loads of
// the coefficients.
struct BankJob {
  const float* rows;
  size_t width;     // even
  const float* in;  // interleaved
  size_t channels;
  size_t turns;
  size_t in_step;  // floats from one turn's samples to the next one's
  float* out;      // interleaved, without the lanes before `first`
  size_t out_step;
  size_t first;  // lanes that are wanted
  size_t count;
};

// Up to kBetweenFrames, each `frame_step` samples on.
constexpr size_t kBetweenFrames = 4;
struct BetweenJob {
  const float* planes;
  size_t stride;
  size_t channels;
  size_t frames;
  size_t frame_step;
  float* out;  // interleaved
};

// A frame's bits do not depend on which others are made with it. AVX2 and AVX-512 give the same
// bits for a bank; the portable kernel, which rounds each product, differs from them by rounding
// alone.
struct ResamplerKernel {
  void (*filter_bank)(const BankJob& job) noexcept;
  // With coefficients between two phases, for frame f t[f] of the way:
  // row[k] + t * (row[width + k] + t * (row[2 * width + k] + t * row[3 * width + k]))
  // `scratch` has room for `width`.
  void (*filter_between)(const float* row, const float* t, size_t width, const BetweenJob& job,
                         float* scratch) noexcept;
};

extern const ResamplerKernel kPortableKernel;

// x86-64, where the compiler can make functions for more than the baseline; otherwise null, as on
// processors that lack them.
const ResamplerKernel* avx2_kernel() noexcept;
const ResamplerKernel* avx512_kernel() noexcept;

const ResamplerKernel& resampler_kernel() noexcept;  // the best this processor has

// Each a filter_sample.
void copy_samples(const float* in, size_t count, float* out) noexcept;
// Interleaved frames into two planes, each sample a filter_sample.
void split_stereo(const float* in, size_t frames, float* left, float* right) noexcept;
// Pairs of interleaved frames into the first ones and the second ones, each a filter_sample.
void split_frames(const float* in, size_t pairs, size_t channels, float* first,
                  float* second) noexcept;
// to[i] += in[i] / 2
void add_halves(const float* in, size_t count, float* to) noexcept;
void merge_frames(const float* first, const float* second, size_t pairs, size_t channels,
                  float* out) noexcept;

}  // namespace patchcord
