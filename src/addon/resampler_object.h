// class Resampler: the core's kernel, driven by a Transform on the JS thread.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "../core/channel_map.h"
#include "../core/dither.h"
#include "../core/format.h"
#include "../core/resampler.h"

namespace patchcord {

class ResamplerObject final : public Napi::ObjectWrap<ResamplerObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // (from, to, quality, channelMap?, dither?)
  explicit ResamplerObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value process(const Napi::CallbackInfo& info);
  Napi::Value flush(const Napi::CallbackInfo& info);
  Napi::Value latency_frames(const Napi::CallbackInfo& info);
  bool loses_bits() const;
  Napi::Value convert(Napi::Env env, const uint8_t* data, size_t frames, uint64_t limit);

  Format from_, to_;
  std::unique_ptr<ChannelMap> map_;
  std::unique_ptr<Resampler> resampler_;
  bool map_first_ = false;
  bool dithered_ = false;
  Dither dither_;
  uint64_t in_frames_ = 0, out_frames_ = 0;
  std::vector<float> raw_, mapped_, resampled_, out_;
};

}  // namespace patchcord
