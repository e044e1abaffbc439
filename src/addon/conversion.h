// Conversion from one format to another, as JavaScript requests it.
#pragma once

#include <napi.h>

#include <memory>

#include "../core/signal/filter.h"
#include "../core/signal/format.h"

namespace patchcord {

struct Conversion {
  // Options: quality, channelMap, dither.
  Conversion(const Format& from, const Format& to, const Napi::Object& options);

  std::unique_ptr<Filter> filter;
  bool dithers;  // the output format has integers
};

// How many frames come out of so many frames.
uint64_t converted_frames(uint64_t frames, uint32_t from_rate, uint32_t to_rate);

// convert(bytes of whole frames, from, to, options): Buffer
Napi::Value convert(const Napi::CallbackInfo& info);

}  // namespace patchcord
