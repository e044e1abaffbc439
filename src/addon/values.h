// Conversion between JavaScript values and the engine's. TypeScript has checked the arguments. But
// a worker can be terminated at any moment, and from then on calls into Node-API fail: wrapped
// objects are null, new buffers empty, properties undefined and numbers 0. A function that meets
// this returns at once; no JavaScript runs any more that could see unfinished work.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "../backend/backend.h"
#include "../core/graph/node_events.h"
#include "../core/signal/channel_map.h"
#include "../core/signal/level_meter.h"
#include "../core/time/anchor.h"

namespace patchcord {

// Unlike Get(), never returns an empty Napi::Value: reading a number or a string from an empty one
// ends the process.
Napi::Value property(const Napi::Object& object, const char* key);
Napi::Value element(const Napi::Object& list, uint32_t index);
// An array of what `convert` makes of each item.
template <typename Items, typename Convert>
Napi::Array to_array(Napi::Env env, const Items& items, Convert convert) {
  Napi::Array list = Napi::Array::New(env);
  uint32_t count = 0;
  for (const auto& item : items) list.Set(count++, convert(item));
  return list;
}
Napi::Array to_array(Napi::Env env, const std::vector<std::string>& texts);
Napi::Array to_array(Napi::Env env, const std::vector<ProcessId>& ids);
// False if the value is not a boolean. ToBoolean() returns an empty value in a worker that is being
// terminated, and reading that ends the process.
bool is_true(const Napi::Value& value);

// { code: 'DEVICE_LOST', message, syscall, osCode, deviceId, remedy }; lib/errors.ts makes an
// AudioError of it.
Napi::Value error_to_value(Napi::Env env, const Error& error);

Format format_from_value(const Napi::Value& value);  // { sampleRate, channels, sampleFormat }
Napi::Object format_to_value(Napi::Env env, const Format& format);
SampleFormat sample_format_from(const Napi::Value& name);

Napi::Object device_to_value(Napi::Env env, const DeviceInfo& device, bool fed);
// { exclusive, api?, lowLatency, raw, category, microphone?, format? }
OpenOptions open_options_from(const Napi::Value& value);
// { pid, startTime: bigint }; properties of ProcessInfo can be added to it.
Napi::Object process_id_to_value(Napi::Env env, const ProcessId& id);
std::vector<ProcessId> process_ids_from(const Napi::Value& list);  // empty if it is not an array
Napi::Object process_to_value(Napi::Env env, const ProcessInfo& process);
// { everything, include: ProcessId[], exclude: ProcessId[] }
ProcessSelection process_selection_from(const Napi::Value& value);
// A granted request is true; a request that was not granted is the reason why, or ''.
Napi::Object stream_info_to_value(Napi::Env env, const StreamInfo& info);
double decibels(float linear);  // silence: -Infinity
Napi::Object level_to_value(Napi::Env env, const Level& level);
Napi::Array events_to_value(Napi::Env env, NodeEvents& events);

Napi::BigInt time_to_value(Napi::Env env, double ns);
Napi::Value time_at(Napi::Env env, const Anchor& anchor, const Napi::Value& frame);
Napi::Value frame_at(Napi::Env env, const Anchor& anchor, const Napi::Value& time);

// The speakers of a format's channels, as WAVE's dwChannelMask; 0: the usual layout.
uint32_t channel_mask_from(const Napi::Value& format);

// undefined: none. number[]: for each output the input it takes, -1 for silence. number[][]: gains,
// a row for each output.
ChannelRouting channel_routing_from(const Napi::Value& value);
std::unique_ptr<ChannelMap> channel_map_from(const Napi::Value& value, uint32_t in, uint32_t out);

}  // namespace patchcord
