// The noise that is added before rounding, so that the error of rounding is noise as well and not
// distortion of what is quiet.
#pragma once

#include <cstdint>

namespace patchcord {

// Triangular, white, 2 LSB from end to end: the least that makes mean and power of the error
// independent of the signal (Lipshitz, Wannamaker, Vanderkooy, "Quantization and Dither", JAES 40,
// 1992). The same numbers each time: the same input gives the same bytes, however it is cut.
class Dither {
 public:
  // In LSB, between -1 and 1: the sum of two rectangular ones.
  double next() noexcept {
    // Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014: all its
    // bits are good, so both halves serve.
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t bits = state_;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    bits ^= bits >> 31;
    // Centred: the smallest sum of the halves is 0, the largest 2^33 - 2.
    const uint64_t sum = (bits >> 32) + (bits & 0xffffffffu) + 1;
    return static_cast<double>(sum) * 0x1p-32 - 1;
  }

 private:
  uint64_t state_ = 0;
};

}  // namespace patchcord
