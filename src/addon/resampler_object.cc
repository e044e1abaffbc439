#include "resampler_object.h"

#include <algorithm>
#include <cmath>

#include "values.h"

namespace patchcord {
namespace {

ResamplerQuality quality_from(const std::string& name) {
  if (name == "low") return ResamplerQuality::kLow;
  if (name == "medium") return ResamplerQuality::kMedium;
  if (name == "best") return ResamplerQuality::kBest;
  return ResamplerQuality::kHigh;
}

}  // namespace

Napi::Function ResamplerObject::define(Napi::Env env) {
  return DefineClass(env, "Resampler",
                     {
                         InstanceMethod<&ResamplerObject::process>("process"),
                         InstanceMethod<&ResamplerObject::flush>("flush"),
                         InstanceMethod<&ResamplerObject::latency_frames>("latencyFrames"),
                     });
}

ResamplerObject::ResamplerObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ResamplerObject>(info),
      from_(format_from_value(info[0])),
      to_(format_from_value(info[1])) {
  map_ = channel_map_from(info[3], from_.channels, to_.channels);
  map_first_ = to_.channels < from_.channels;
  if (from_.sample_rate != to_.sample_rate) {
    resampler_ = std::make_unique<Resampler>(from_.sample_rate, to_.sample_rate,
                                             map_first_ ? to_.channels : from_.channels,
                                             quality_from(info[2].As<Napi::String>()), false);
  }
  dithered_ = info[4].ToBoolean() && loses_bits();
}

// Whether samples are made that the format which comes out cannot hold: integers that are only
// moved into a format as wide need no noise.
bool ResamplerObject::loses_bits() const {
  const bool exact = from_.sample_format != SampleFormat::kF32 &&
                     bytes_per_sample(from_.sample_format) <= bytes_per_sample(to_.sample_format);
  return resampler_ || map_ || !exact;
}

// process(bytes of whole frames): Buffer
Napi::Value ResamplerObject::process(const Napi::CallbackInfo& info) {
  const auto bytes = info[0].As<Napi::Uint8Array>();
  const size_t frames = bytes.ByteLength() / bytes_per_frame(from_);
  in_frames_ += frames;
  return convert(info.Env(), bytes.Data(), frames, UINT64_MAX);
}

// flush(): the tail, so that in all round(framesIn x out / in) frames have come out
Napi::Value ResamplerObject::flush(const Napi::CallbackInfo& info) {
  const uint64_t length = static_cast<uint64_t>(
      std::llround(static_cast<double>(in_frames_) * to_.sample_rate / from_.sample_rate));
  const uint64_t left = length - std::min(length, out_frames_);
  const size_t needed = resampler_ ? resampler_->needed_for(static_cast<size_t>(left)) : 0;
  return convert(info.Env(), nullptr, left == 0 ? 0 : needed, left);
}

// Input frames that the filter holds back.
Napi::Value ResamplerObject::latency_frames(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(),
                           resampler_ ? static_cast<double>(resampler_->latency_in()) : 0);
}

Napi::Value ResamplerObject::convert(Napi::Env env, const uint8_t* data, size_t frames,
                                     uint64_t limit) {
  const float* in = nullptr;
  if (data != nullptr) {
    raw_.resize(frames * from_.channels);
    to_float(data, from_.sample_format, raw_.data(), raw_.size());
    in = raw_.data();
    if (map_ && map_first_) {
      mapped_.resize(frames * to_.channels);
      map_->process(in, mapped_.data(), frames);
      in = mapped_.data();
    }
  }
  size_t made = frames;
  if (resampler_) {
    const uint32_t channels = map_first_ ? to_.channels : from_.channels;
    const size_t room = static_cast<size_t>(std::min<uint64_t>(
        limit, static_cast<uint64_t>(
                   std::ceil(static_cast<double>(frames) * to_.sample_rate / from_.sample_rate)) +
                   16));
    resampled_.resize(room * channels);
    made = resampler_->process(in, frames, resampled_.data(), room).produced;
    in = resampled_.data();
  }
  if (map_ && !map_first_) {
    out_.resize(made * to_.channels);
    map_->process(in, out_.data(), made);
    in = out_.data();
  }
  out_frames_ += made;
  auto buffer = Napi::Buffer<uint8_t>::New(env, made * bytes_per_frame(to_));
  const size_t samples = made * to_.channels;
  if (dithered_) {
    from_float(in, to_.sample_format, buffer.Data(), samples, dither_);
  } else {
    from_float(in, to_.sample_format, buffer.Data(), samples);
  }
  return buffer;
}

}  // namespace patchcord
