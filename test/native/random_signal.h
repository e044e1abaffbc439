// Deterministic noise for tests: the same seed gives the same test on every machine.
#pragma once

#include <cstdint>
#include <vector>

class RandomSignal {
 public:
  explicit RandomSignal(uint64_t seed) : state_(seed * 2654435769u + 1) {}

  // Marsaglia's xorshift64*.
  uint64_t bits() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 2685821657736338717u;
  }
  // From `low` to `high`, both included.
  uint32_t whole(uint32_t low, uint32_t high) {
    return low + static_cast<uint32_t>((bits() >> 32) % (uint64_t{high} - low + 1));
  }
  double real(double low, double high) {
    return low + (high - low) * static_cast<double>(bits() >> 11) * 0x1p-53;
  }
  std::vector<float> samples(size_t count, float level = 1) {
    std::vector<float> all(count);
    for (float& sample : all) sample = static_cast<float>(real(-level, level));
    return all;
  }

 private:
  uint64_t state_;
};
