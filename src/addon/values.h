// Between JavaScript values and the engine's. Arguments were checked in TypeScript. But a worker
// can be terminated at any moment, and from then on calls into Node-API fail: wrapped objects come
// out null, new buffers empty, properties undefined and numbers 0. Whoever meets that returns at
// once; no JavaScript runs any more that could see what was left undone.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "../backend/backend.h"
#include "../core/graph/node_events.h"
#include "../core/signal/channel_map.h"
#include "../core/signal/level_meter.h"
#include "../core/time/anchor.h"

namespace patchcord {

// Never an empty Napi::Value as its own Get() gives: to ask one of those for its number or its
// string ends the process.
Napi::Value property(const Napi::Object& object, const char* key);
Napi::Value element(const Napi::Object& list, uint32_t index);
// False for what is no boolean. ToBoolean() gives an empty value in a worker that is being
// terminated, and to ask that one for its value ends the process.
bool is_true(const Napi::Value& value);

// { code: 'DEVICE_LOST', message, syscall, osCode, deviceId, remedy }; lib/errors.ts makes an
// AudioError of it.
Napi::Value error_to_value(Napi::Env env, const Error& error);

Format format_from_value(const Napi::Value& value);  // { sampleRate, channels, sampleFormat }
Napi::Object format_to_value(Napi::Env env, const Format& format);
SampleFormat sample_format_from(const Napi::Value& name);

Napi::Object device_to_value(Napi::Env env, const DeviceInfo& device, bool fed);
// { exclusive, lowLatency, raw, category, microphone?, format? }
OpenOptions open_options_from(const Napi::Value& value);
// { pid, startTime: bigint }, and what ProcessInfo has beside it.
Napi::Object process_id_to_value(Napi::Env env, const ProcessId& id);
ProcessId process_id_from(const Napi::Value& value);
Napi::Object process_to_value(Napi::Env env, const ProcessInfo& process);
// { everything, include: ProcessId[], exclude: ProcessId[] }
ProcessSelection process_selection_from(const Napi::Value& value);
// A wish that was granted is true, another the reason why not, or ''.
Napi::Object stream_info_to_value(Napi::Env env, const StreamInfo& info);
double decibels(float linear);  // silence: -Infinity
Napi::Object level_to_value(Napi::Env env, const Level& level);
Napi::Array events_to_value(Napi::Env env, NodeEvents& events);

Napi::BigInt time_to_value(Napi::Env env, double ns);
Napi::Value time_at(Napi::Env env, const Anchor& anchor, const Napi::Value& frame);
Napi::Value frame_at(Napi::Env env, const Anchor& anchor, const Napi::Value& time);

// At which speakers the channels of a format stand, WAVE's dwChannelMask; 0: in the usual layout.
uint32_t channel_mask_from(const Napi::Value& format);

// undefined: none. number[]: for each output the input it takes, -1 for silence. number[][]: gains,
// a row for each output.
ChannelRouting channel_routing_from(const Napi::Value& value);
std::unique_ptr<ChannelMap> channel_map_from(const Napi::Value& value, uint32_t in, uint32_t out);

}  // namespace patchcord
