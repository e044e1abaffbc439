#include "conversion.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "../core/signal/converter.h"
#include "../core/signal/dither.h"
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

Conversion::Conversion(const Format& from, const Format& to, const Napi::Object& options) {
  auto map = channel_map_from(property(options, "channelMap"), from.channels, to.channels);
  auto masked = masked_map(from.channels, to.channels, channel_mask_from(options));
  if (masked) map = std::move(masked);
  if (map && property(options, "channelMap").IsString()) map->attenuate();
  // Integers that are only copied into a format of at least the same width need no noise.
  const bool moved = from.sample_rate == to.sample_rate && !map &&
                     from.sample_format != SampleFormat::kF32 &&
                     bytes_per_sample(from.sample_format) <= bytes_per_sample(to.sample_format);
  dithers = property(options, "dither").As<Napi::Boolean>() && !moved;
  filter = std::make_unique<Converter>(
      Filter::Shape{from.sample_rate, from.channels}, Filter::Shape{to.sample_rate, to.channels},
      quality_from(property(options, "quality").As<Napi::String>()), false, std::move(map));
}

uint64_t converted_frames(uint64_t frames, uint32_t from_rate, uint32_t to_rate) {
  return static_cast<uint64_t>(std::llround(static_cast<double>(frames) * to_rate / from_rate));
}

Napi::Value convert(const Napi::CallbackInfo& info) {
  const auto bytes = info[0].As<Napi::Uint8Array>();
  const Format from = format_from_value(info[1]), to = format_from_value(info[2]);
  const Conversion conversion(from, to, info[3].As<Napi::Object>());
  const size_t frames = bytes.ByteLength() / bytes_per_frame(from);
  const auto length =
      static_cast<size_t>(converted_frames(frames, from.sample_rate, to.sample_rate));
  auto buffer = Napi::Buffer<uint8_t>::New(info.Env(), length * bytes_per_frame(to));
  if (buffer.IsEmpty()) return buffer;  // the buffer is too large, or the worker has begun to end

  std::vector<float> in(kFilterBlock * from.channels);
  std::vector<float> out(conversion.filter->most_out(kFilterBlock) * to.channels);
  Dither dither;
  size_t made = 0;
  for (size_t done = 0; made < length;) {
    // Zeros after the last frame push out what the filter holds back.
    const size_t block = done < frames ? std::min(kFilterBlock, frames - done) : kFilterBlock;
    if (done < frames) {
      to_float(bytes.Data() + done * bytes_per_frame(from), from.sample_format, in.data(),
               block * from.channels);
    }
    const size_t got =
        conversion.filter->process(done < frames ? in.data() : nullptr, block, out.data());
    const size_t samples = std::min(got, length - made) * to.channels;
    uint8_t* place = buffer.Data() + made * bytes_per_frame(to);
    if (conversion.dithers) {
      from_float(out.data(), to.sample_format, place, samples, dither);
    } else {
      from_float(out.data(), to.sample_format, place, samples);
    }
    made += samples / to.channels;
    done += block;
  }
  return buffer;
}

}  // namespace patchcord
