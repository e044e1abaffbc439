// The sizes that all parts of an echo canceller share.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace patchcord {

// A block is 5 ms; a transform holds two of them at least. The echo path is cut into partitions of
// one block each, a spectrum for each of them.
struct EchoShape {
  EchoShape(uint32_t sample_rate, size_t reference_channels, double tail_seconds)
      : rate(sample_rate),
        references(reference_channels),
        block(sample_rate / 200),
        transform(power_of_two(2 * block)),
        bins(transform / 2 + 1),
        stride((bins + 7) / 8 * 8),
        parts(std::max<size_t>(4, static_cast<size_t>(std::ceil(tail_seconds * sample_rate /
                                                                static_cast<double>(block))))),
        share(static_cast<float>(block) / static_cast<float>(transform)) {}

  const uint32_t rate;
  const size_t references;  // channels of the reference
  const size_t block;       // frames
  const size_t transform;
  const size_t bins;
  const size_t stride;  // floats from one spectrum to the next; those behind the bins are 0
  const size_t parts;   // for each channel of the reference
  const float share;    // of a transform, that is one block

 private:
  static size_t power_of_two(size_t least) {
    size_t size = 16;
    while (size < least) size *= 2;
    return size;
  }
};

}  // namespace patchcord
