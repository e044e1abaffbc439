// Another sample rate, other channels.
#pragma once

#include <memory>
#include <vector>

#include "channel_map.h"
#include "filter.h"
#include "resampler.h"

namespace patchcord {

class ConvertFilter final : public Filter {
 public:
  // `map` null: the channels stay.
  ConvertFilter(Shape in, Shape out, ResamplerQuality quality, std::unique_ptr<ChannelMap> map);

  size_t process(const float* in, size_t frames, float* out) noexcept override;
  size_t held_frames() const noexcept override;
  Skip skip_silence(uint64_t in_frames) noexcept override;

 private:
  const std::unique_ptr<ChannelMap> map_;
  const bool map_first_;  // fewer channels to resample
  std::unique_ptr<Resampler> resampler_;
  std::vector<float> scratch_;
};

}  // namespace patchcord
