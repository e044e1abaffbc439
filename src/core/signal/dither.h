// The noise that is added before rounding. It turns the rounding error into noise too; without it
// the error distorts quiet sound.
#pragma once

#include <cstdint>
#include <cstring>

namespace patchcord {

// Triangular white noise of 2 LSB from end to end. This is the least noise that makes the mean and
// the power of the error independent of the signal (Lipshitz, Wannamaker, Vanderkooy, "Quantization
// and Dither", JAES 40, 1992). The generator is seeded by all samples so far: the same input gives
// the same bytes, however it is cut into calls, and different streams get uncorrelated noise.
class Dither {
 public:
  // The noise for `sample`, in LSB, between -1 and 1: the sum of two rectangular random numbers.
  double next(float sample) noexcept {
    // Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014: all its
    // bits are good, so both halves serve.
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t bits = state_;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    bits ^= bits >> 31;
    // The sample seeds the noise of the samples after it: the noise of a sample must not depend on
    // the sample itself.
    state_ += kSpread * bits_of(sample);
    // Centred: the smallest sum of the halves is 0, the largest 2^33 - 2.
    const uint64_t sum = (bits >> 32) + (bits & 0xffffffffu) + 1;
    return static_cast<double>(sum) * 0x1p-32 - 1;
  }

 private:
  static constexpr uint64_t kSpread = 0xd1342543de82ef95u;  // odd; its bits follow no pattern

  static uint64_t bits_of(float sample) noexcept {
    sample += 0.0f;  // -0 is 0
    uint32_t bits;
    std::memcpy(&bits, &sample, sizeof bits);
    return bits;
  }

  uint64_t state_ = 0;
};

}  // namespace patchcord
