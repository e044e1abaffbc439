#include "converter.h"

#include <utility>

namespace patchcord {
namespace {

std::unique_ptr<ChannelMap> usual_map(uint32_t in, uint32_t out) {
  return in == out ? nullptr : std::make_unique<ChannelMap>(in, out);
}

}  // namespace

Converter::Converter(Shape in, Shape out, ResamplerQuality quality, bool variable,
                     std::unique_ptr<ChannelMap> map)
    : Filter(in, out),
      map_(map ? std::move(map) : usual_map(in.channels, out.channels)),
      map_first_(map_ && out.channels < in.channels) {
  if (in.rate == out.rate && !variable) return;
  const uint32_t channels = std::min(in.channels, out.channels);
  resampler_.emplace(in.rate, out.rate, channels, quality, variable);
  if (map_) scratch_.resize(kFilterBlock * channels);
}

Resampler::Progress Converter::process(const float* from, size_t in_frames, float* to,
                                       size_t out_frames) noexcept {
  if (!resampler_) {
    const size_t frames = std::min(in_frames, out_frames);
    if (from == nullptr) {
      std::fill_n(to, frames * out().channels, 0.0f);
    } else if (map_) {
      map_->process(from, to, frames);
    } else {
      std::copy_n(from, frames * out().channels, to);
    }
    return {frames, frames};
  }
  if (!map_) return resampler_->process(from, in_frames, to, out_frames);
  Resampler::Progress all{0, 0}, step{0, 0};
  do {
    const float* in_at = from != nullptr ? from + all.consumed * in().channels : nullptr;
    float* out_at = to + all.produced * out().channels;
    size_t frames = in_frames - all.consumed;
    const size_t room = std::min(out_frames - all.produced, kFilterBlock);
    if (map_first_) {
      // The resampler must not make more frames than it consumes input for.
      frames = std::min({frames, kFilterBlock, resampler_->needed_for(room)});
      if (in_at != nullptr) {
        map_->process(in_at, scratch_.data(), frames);
        in_at = scratch_.data();
      }
      step = resampler_->process(in_at, frames, out_at, room);
    } else {
      step = resampler_->process(in_at, frames, scratch_.data(), room);
      map_->process(scratch_.data(), out_at, step.produced);
    }
    all.consumed += step.consumed;
    all.produced += step.produced;
  } while (step.consumed > 0 || step.produced > 0);
  return all;
}

Filter::Skip Converter::skip_silence(uint64_t in_frames) noexcept {
  if (!resampler_) return {in_frames, in_frames};
  const Resampler::Skip skip = resampler_->skip_silence(in_frames);
  return {skip.in_frames, skip.out_frames};
}

}  // namespace patchcord
