// Another sample rate, other channels: wherever one stream is brought to another's shape.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "channel_map.h"
#include "filter.h"
#include "resampler.h"

namespace patchcord {

// One way to convert for everyone, and one place that knows what it delays. Where neither rate nor
// ratio changes there is no resampler: samples keep their bits, and nothing is held back.
class Converter final : public Filter {
 public:
  // `variable`: set_ratio() can move the ratio. `map` null: the usual one, where counts of channels
  // differ.
  Converter(Shape in, Shape out, ResamplerQuality quality, bool variable = false,
            std::unique_ptr<ChannelMap> map = nullptr);

  size_t process(const float* in, size_t frames, float* out) noexcept override {
    return process(in, frames, out, most_out(frames)).produced;
  }
  size_t held_frames() const noexcept override { return resampler_ ? resampler_->latency_in() : 0; }
  Skip skip_silence(uint64_t in_frames) noexcept override;

  // The same for any numbers of frames, and as Resampler has them.
  Resampler::Progress process(const float* in, size_t in_frames, float* out,
                              size_t out_frames) noexcept;
  size_t needed_for(size_t out_frames) const noexcept {
    return resampler_ ? resampler_->needed_for(out_frames) : out_frames;
  }
  double position() const noexcept { return resampler_ ? resampler_->position() : 0; }
  void set_ratio(double in_per_out_relative_to_nominal) noexcept {
    if (resampler_) resampler_->set_ratio(in_per_out_relative_to_nominal);
  }
  void reset() noexcept {
    if (resampler_) resampler_->reset();
  }

  // How much later what goes in comes out.
  double delay_ns() const noexcept { return static_cast<double>(held_frames()) * 1e9 / in().rate; }
  // Zeros after which nothing is left of what came before them.
  size_t memory_frames() const noexcept { return resampler_ ? 2 * held_frames() + 1 : 0; }

 private:
  std::optional<Resampler> resampler_;
  const std::unique_ptr<ChannelMap> map_;
  const bool map_first_;  // fewer channels to resample
  std::vector<float> scratch_;
};

}  // namespace patchcord
