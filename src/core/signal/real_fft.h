// The Fourier transform of a real signal.
#pragma once

#include <cstddef>
#include <vector>

namespace patchcord {

// Radix-4 Stockham steps on separate real and imaginary arrays, so that the compiler can use vector
// instructions (G. D. Bergland's real transform by a complex one of half the length). `size` is a
// power of two, 16 at least. A spectrum has size / 2 + 1 bins. Nothing but the constructor
// allocates; one thread at a time.
class RealFft {
 public:
  explicit RealFft(size_t size);

  // The arrays of one call do not overlap.
  void forward(const float* samples, float* re, float* im) noexcept;
  void inverse(const float* re, const float* im, float* samples) noexcept;  // scaled by 1 / size

 private:
  size_t run() noexcept;

  const size_t half_;                   // length of the complex transform
  std::vector<float> re_, im_;          // two lines of half_ each, used in turn
  std::vector<float> twiddles_;         // of the radix-4 steps, in the order of their use
  std::vector<float> cosines_, sines_;  // that make a real spectrum of the complex one
};

}  // namespace patchcord
