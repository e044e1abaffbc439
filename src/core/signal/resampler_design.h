// The design of a resampler: its steps and their filters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "resampler.h"
#include "resampler_kernel.h"
#include "resampler_prototypes.h"

namespace patchcord {

// The ratio of output frames to input frames, in lowest terms.
struct ResamplerRatio {
  ResamplerRatio(uint64_t in_rate, uint64_t out_rate);
  bool operator==(const ResamplerRatio& other) const { return in == other.in && out == other.out; }
  double in_per_out() const { return static_cast<double>(in) / static_cast<double>(out); }
  // The number of input frames that `out` output frames take, rounded up.
  size_t in_for(size_t frames) const { return static_cast<size_t>((frames * in + out - 1) / out); }
  uint64_t in, out;
};

// Aligned to the widest vectors: a load that crosses a cache line counts twice.
struct alignas(kResamplerLanes * sizeof(float)) ResamplerLanes {
  float lane[kResamplerLanes];
};
using ResamplerTable = std::vector<ResamplerLanes>;
inline float* samples(ResamplerTable* table) { return reinterpret_cast<float*>(table->data()); }
inline const float* samples(const ResamplerTable& table) {
  return reinterpret_cast<const float*>(table.data());
}

// A low-pass filter cut into phases, one for each output frame of the ratio's period. The table
// stores the rows in groups of kResamplerLanes, column by column: for each of `width` input frames,
// from the one where the group begins, the coefficient of each row, or 0 where the row does not
// reach. One input sample is then multiplied for as many output frames as a vector has lanes: every
// load of a vector is aligned, and no sum runs across lanes.
struct BankDesign {
  BankDesign(ResamplerRatio ratio, const LowPass& low_pass);
  // One filter at one rate, with a row for each lane of a vector: output frame k begins at input
  // frame k. `half`: half of the taps, which are symmetrical.
  explicit BankDesign(const std::vector<float>& half);

  // The first input frame of a row, and of its group, relative to row 0.
  size_t frame_of(size_t row) const { return row * period_in / rows; }
  size_t group_frame_of(size_t row) const { return frame_of(row - row % kResamplerLanes); }
  const float* group(size_t index) const {
    return samples(table) + index * width * kResamplerLanes;
  }

  size_t taps = 0;
  size_t lead = 0;       // taps before the position
  size_t rows = 0;       // whole periods of the ratio, as many as leave few lanes idle
  size_t period_in = 0;  // input frames covered by the rows
  size_t groups = 0;
  size_t reach = 0;  // the largest distance from the first frame of a group to that of its last row
  size_t width = 0;  // even, because sums are made from both ends
  ResamplerTable table;

 private:
  void make_table();
  void set_row(size_t row, const double* coefficients);
};

// A low-pass filter for any position: row p is for a position p / rows after a frame. Each row is
// followed by the three higher coefficients of the cubic that leads to the next row
// (resampler_kernel.h).
struct CubicDesign {
  CubicDesign(ResamplerRatio ratio, const LowPass& low_pass);

  size_t taps = 0;
  size_t lead = 0;   // taps before the position
  size_t width = 0;  // floats in a row: taps and zeros, a multiple of kResamplerLanes
  size_t rows = 0;
  ResamplerTable table;
};

// A low-pass filter for halving or doubling a rate. It is flat up to `pass` cycles per frame of the
// higher rate and zero from 0.5 - pass. Every second coefficient is 0, and the middle one is gain /
// 2.
struct HalfBandDesign {
  HalfBandDesign(double pass, double stopband_db, float gain);

  size_t side;        // taps on either side of the middle one
  BankDesign others;  // all taps but the middle one, for every second frame; their sum is gain

 private:
  explicit HalfBandDesign(const std::vector<float>& half);
};

// The part of a resampler that depends only on its ratio: the steps that take the fewest
// multiplications, and their filters. The sharp filter works at the lowest rate. Halvings come
// before it if the input rate is high, doublings after it if the output rate is.
struct ResamplerDesign {
  ResamplerDesign(ResamplerRatio ratio, ResamplerQuality quality, bool variable);

  // A design takes milliseconds, so resamplers of one ratio share it. The most recently used ones
  // are kept. Any thread except audio threads.
  static std::shared_ptr<const ResamplerDesign> shared(ResamplerRatio ratio,
                                                       ResamplerQuality quality, bool variable);

  ResamplerRatio sharp;
  // The sharp filter: one of the two is set.
  std::optional<BankDesign> bank;
  std::optional<CubicDesign> cubic;
  std::vector<HalfBandDesign> halvings, doublings;  // in order
};

}  // namespace patchcord
