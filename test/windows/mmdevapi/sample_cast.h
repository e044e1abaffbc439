// The audio engine's conversion between a program's samples and a device's, at one rate.
#pragma once

#include <cstring>
#include <vector>

#include "../../../src/core/signal/channel_map.h"
#include "../../../src/core/signal/format.h"

namespace patchcord {

class SampleCast {
 public:
  SampleCast(const Format& from, const Format& to, uint32_t most_frames)
      : from_(from),
        to_(to),
        map_(from.channels, to.channels),
        read_(from == to ? 0 : most_frames * from.channels),
        mapped_(from == to ? 0 : most_frames * to.channels) {}

  // One thread; does not allocate.
  void process(const void* source, void* destination, uint32_t frames) noexcept {
    if (from_ == to_) {
      std::memcpy(destination, source, frames * bytes_per_frame(from_));
      return;
    }
    to_float(source, from_.sample_format, read_.data(), frames * from_.channels);
    map_.process(read_.data(), mapped_.data(), frames);
    from_float(mapped_.data(), to_.sample_format, destination, frames * to_.channels);
  }

 private:
  const Format from_, to_;
  const ChannelMap map_;
  std::vector<float> read_, mapped_;
};

}  // namespace patchcord
