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

// Output frames per input frame, in lowest terms.
struct ResamplerRatio {
  ResamplerRatio(uint64_t in_rate, uint64_t out_rate);
  bool operator==(const ResamplerRatio& other) const { return in == other.in && out == other.out; }
  double in_per_out() const { return static_cast<double>(in) / static_cast<double>(out); }
  // Input frames that so many output frames take, rounded up.
  size_t in_for(size_t frames) const { return static_cast<size_t>((frames * in + out - 1) / out); }
  uint64_t in, out;
};

// As wide as the widest vectors and aligned to them: a load across two cache lines is two.
struct alignas(kResamplerLanes * sizeof(float)) ResamplerLanes {
  float lane[kResamplerLanes];
};
using ResamplerTable = std::vector<ResamplerLanes>;
inline float* samples(ResamplerTable* table) { return reinterpret_cast<float*>(table->data()); }
inline const float* samples(const ResamplerTable& table) {
  return reinterpret_cast<const float*>(table.data());
}

// A low-pass filter cut into phases, one for each output frame of the ratio's period. The table
// holds the rows in groups of kResamplerLanes, column by column: for each of `width` input frames,
// from the one where the group begins, the coefficient of each row, 0 where the row does not reach.
// One input sample then meets as many output frames as a vector has lanes: every load of a vector
// is aligned, and no sum runs across lanes.
struct BankDesign {
  BankDesign(ResamplerRatio ratio, const LowPass& low_pass);
  // One filter at one rate, a row for each of as many frames as a vector has lanes: output frame k
  // begins at input frame k. `half`: of its taps, which are symmetrical.
  explicit BankDesign(const std::vector<float>& half);

  // The first input frame of a row, and of its group, counted from row 0's.
  size_t frame_of(size_t row) const { return row * period_in / rows; }
  size_t group_frame_of(size_t row) const { return frame_of(row - row % kResamplerLanes); }
  const float* group(size_t index) const {
    return samples(table) + index * width * kResamplerLanes;
  }

  size_t taps = 0;
  size_t lead = 0;       // taps before the position
  size_t rows = 0;       // whole periods of the ratio: so many that few lanes are idle
  size_t period_in = 0;  // input frames that the rows cover
  size_t groups = 0;
  size_t reach = 0;  // from the first frame of a group to the first of its last row, at most
  size_t width = 0;  // even, because sums are made from both ends
  ResamplerTable table;

 private:
  void make_table();
  void set_row(size_t row, const double* coefficients);
};

// A low-pass filter for any position: row p is for a position p / rows after a frame, followed by
// the three higher coefficients of the cubic that leads to the next row (resampler_kernel.h).
struct CubicDesign {
  CubicDesign(ResamplerRatio ratio, const LowPass& low_pass);

  size_t taps = 0;
  size_t lead = 0;   // taps before the position
  size_t width = 0;  // floats of a row: taps and zeros, a multiple of kResamplerLanes
  size_t rows = 0;
  ResamplerTable table;
};

// A low-pass filter for halving or doubling a rate, flat up to `pass` cycles per frame of the
// higher one and nothing from 0.5 - pass on: every second coefficient is 0, and the middle one
// gain / 2.
struct HalfBandDesign {
  HalfBandDesign(double pass, double stopband_db, float gain);

  size_t side;        // taps on either side of the middle one
  BankDesign others;  // all but the middle one, for every second frame; their sum is gain

 private:
  explicit HalfBandDesign(const std::vector<float>& half);
};

// All of a resampler that depends on its ratio alone: the steps that take the fewest
// multiplications, and their filters. The sharp filter stands where the rate is lowest; beyond it,
// where the rate is high, halvings come before or doublings after.
struct ResamplerDesign {
  ResamplerDesign(ResamplerRatio ratio, ResamplerQuality quality, bool variable);

  // A design takes milliseconds, so resamplers of one ratio share it. The last few that were asked
  // for are kept. Any thread that is no audio thread.
  static std::shared_ptr<const ResamplerDesign> shared(ResamplerRatio ratio,
                                                       ResamplerQuality quality, bool variable);

  ResamplerRatio sharp;
  // The sharp filter, one of the two.
  std::optional<BankDesign> bank;
  std::optional<CubicDesign> cubic;
  std::vector<HalfBandDesign> halvings, doublings;  // in order
};

}  // namespace patchcord
