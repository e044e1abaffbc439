// Converts a stream to another sample rate and another number of channels.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "channel_map.h"
#include "filter.h"
#include "resampler.h"

namespace patchcord {

// All conversions in the engine use this class, so its delay is known in one place. If neither rate
// nor ratio changes there is no resampler: samples keep their bits, and nothing is held back.
class Converter final : public Filter {
 public:
  // `variable`: set_ratio() can move the ratio. `map`: null for the usual map, which is used if the
  // numbers of channels differ.
  Converter(Shape in, Shape out, ResamplerQuality quality, bool variable = false,
            std::unique_ptr<ChannelMap> map = nullptr);

  size_t process(const float* in, size_t frames, float* out) noexcept override {
    return process(in, frames, out, most_out(frames)).produced;
  }
  size_t held_frames() const noexcept override { return resampler_ ? resampler_->latency_in() : 0; }
  Skip skip_silence(uint64_t in_frames) noexcept override;

  // The same for any number of frames; the arguments and the result are those of
  // Resampler::process().
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

  // The delay from input to output.
  double delay_ns() const noexcept { return static_cast<double>(held_frames()) * 1e9 / in().rate; }
  // After this many zeros, nothing of the earlier input remains in the output.
  size_t memory_frames() const noexcept { return resampler_ ? 2 * held_frames() + 1 : 0; }

 private:
  std::optional<Resampler> resampler_;
  const std::unique_ptr<ChannelMap> map_;
  const bool map_first_;  // resample after mapping, because that has fewer channels
  std::vector<float> scratch_;
};

}  // namespace patchcord
