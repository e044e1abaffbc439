#include "convert_filter.h"

#include <utility>

namespace patchcord {

ConvertFilter::ConvertFilter(Shape in, Shape out, ResamplerQuality quality,
                             std::unique_ptr<ChannelMap> map)
    : Filter(in, out), map_(std::move(map)), map_first_(map_ && out.channels < in.channels) {
  if (in.rate != out.rate) {
    resampler_ = std::make_unique<Resampler>(
        in.rate, out.rate, map_first_ ? out.channels : in.channels, quality, false);
  }
  if (map_ && resampler_) {
    scratch_.resize(map_first_ ? kFilterBlock * out.channels
                               : most_out(kFilterBlock) * in.channels);
  }
}

size_t ConvertFilter::process(const float* in, size_t frames, float* out_frames) noexcept {
  const size_t room = most_out(frames);
  if (!resampler_) {
    if (in == nullptr) {
      std::fill_n(out_frames, frames * out().channels, 0.0f);
    } else if (map_) {
      map_->process(in, out_frames, frames);
    } else {
      std::copy_n(in, frames * out().channels, out_frames);
    }
    return frames;
  }
  if (!map_) return resampler_->process(in, frames, out_frames, room).produced;
  if (map_first_) {
    if (in != nullptr) map_->process(in, scratch_.data(), frames);
    const float* mapped = in != nullptr ? scratch_.data() : nullptr;
    return resampler_->process(mapped, frames, out_frames, room).produced;
  }
  const size_t made = resampler_->process(in, frames, scratch_.data(), room).produced;
  map_->process(scratch_.data(), out_frames, made);
  return made;
}

size_t ConvertFilter::held_frames() const noexcept {
  return resampler_ ? resampler_->latency_in() : 0;
}

Filter::Skip ConvertFilter::skip_silence(uint64_t in_frames) noexcept {
  if (!resampler_) return {in_frames, in_frames};
  const Resampler::Skip skip = resampler_->skip_silence(in_frames);
  return {skip.in_frames, skip.out_frames};
}

}  // namespace patchcord
