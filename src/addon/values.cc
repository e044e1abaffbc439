#include "values.h"

#include <cmath>
#include <string>

namespace patchcord {
namespace {

const char* code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kDeviceNotFound:
      return "DEVICE_NOT_FOUND";
    case ErrorCode::kDeviceLost:
      return "DEVICE_LOST";
    case ErrorCode::kDeviceBusy:
      return "DEVICE_BUSY";
    case ErrorCode::kPermissionDenied:
      return "PERMISSION_DENIED";
    case ErrorCode::kFormatUnsupported:
      return "FORMAT_UNSUPPORTED";
    case ErrorCode::kProcessNotFound:
      return "PROCESS_NOT_FOUND";
    case ErrorCode::kBackendUnavailable:
      return "BACKEND_UNAVAILABLE";
    case ErrorCode::kUnsupported:
      return "UNSUPPORTED";
    case ErrorCode::kFeedback:
      return "FEEDBACK";
    case ErrorCode::kTimeout:
      return "TIMEOUT";
    case ErrorCode::kNone:
    case ErrorCode::kBackend:
      break;
  }
  return "BACKEND";
}

// A device may run in a layout that apps cannot choose; it is shown as the nearest one that they
// can.
const char* format_name(SampleFormat format) {
  switch (format) {
    case SampleFormat::kU8:
    case SampleFormat::kS16:
      return "s16";
    case SampleFormat::kS24:
    case SampleFormat::kS24In32:
      return "s24";
    case SampleFormat::kS32:
      return "s32";
    case SampleFormat::kF32:
    case SampleFormat::kF64:
      break;
  }
  return "f32";
}

// Becomes undefined in JavaScript if it is empty.
std::string evidence_name(Evidence evidence) {
  switch (evidence) {
    case Evidence::kServer:
      return "server";
    case Evidence::kHardwareId:
      return "hardware-id";
    case Evidence::kService:
      return "service";
    case Evidence::kParent:
      return "parent";
    case Evidence::kMaker:
      return "driver-name";
    case Evidence::kName:
      return "name";
    case Evidence::kNone:
      break;
  }
  return {};
}

const char* state_name(DeviceState state) {
  switch (state) {
    case DeviceState::kActive:
      return "active";
    case DeviceState::kDisabled:
      return "disabled";
    case DeviceState::kNotPresent:
      return "notPresent";
    case DeviceState::kUnplugged:
      break;
  }
  return "unplugged";
}

const char* event_name(NodeEventType type) {
  switch (type) {
    case NodeEventType::kAbsence:
      return "absence";
    case NodeEventType::kLeftOut:
      return "leftOut";
    case NodeEventType::kHole:
      return "hole";
    case NodeEventType::kStalled:
      return "stalled";
    case NodeEventType::kFlows:
      return "flows";
    case NodeEventType::kEnded:
      return "ended";
    case NodeEventType::kUnderrun:
      return "underrun";
    case NodeEventType::kFill:
      return "fill";
    case NodeEventType::kPlayed:
      return "played";
    case NodeEventType::kLowWater:
      return "lowWater";
    case NodeEventType::kInputEnded:
      return "inputEnded";
    case NodeEventType::kMuted:
      return "muted";
    case NodeEventType::kUnmuted:
      return "unmuted";
    case NodeEventType::kDead:
      return "dead";
    case NodeEventType::kAlive:
      return "alive";
    case NodeEventType::kProgress:
      break;
  }
  return "progress";
}

void set_text(Napi::Object object, const char* key, const std::string& text) {
  if (!text.empty()) object.Set(key, text);
}

}  // namespace

Napi::Value property(const Napi::Object& object, const char* key) {
  napi_value value = nullptr;
  if (napi_get_named_property(object.Env(), object, key, &value) != napi_ok) {
    return object.Env().Undefined();
  }
  return {object.Env(), value};
}

bool is_true(const Napi::Value& value) {
  bool result = false;
  napi_get_value_bool(value.Env(), value, &result);
  return result;
}

Napi::Value element(const Napi::Object& list, uint32_t index) {
  napi_value value = nullptr;
  if (napi_get_element(list.Env(), list, index, &value) != napi_ok) return list.Env().Undefined();
  return {list.Env(), value};
}

Napi::Value error_to_value(Napi::Env env, const Error& error) {
  Napi::Object value = Napi::Object::New(env);
  value.Set("code", code_name(error.code));
  value.Set("message", error.message);
  set_text(value, "syscall", error.syscall);
  set_text(value, "osCode", error.os_code);
  set_text(value, "deviceId", error.device_id);
  set_text(value, "remedy", error.remedy);
  return value;
}

SampleFormat sample_format_from(const Napi::Value& name) {
  const std::string text = name.As<Napi::String>();
  if (text == "s16") return SampleFormat::kS16;
  if (text == "s24") return SampleFormat::kS24;
  if (text == "s32") return SampleFormat::kS32;
  return SampleFormat::kF32;
}

Format format_from_value(const Napi::Value& value) {
  const Napi::Object object = value.As<Napi::Object>();
  Format format;
  format.sample_rate = property(object, "sampleRate").As<Napi::Number>().Uint32Value();
  format.channels = property(object, "channels").As<Napi::Number>().Uint32Value();
  format.sample_format = sample_format_from(property(object, "sampleFormat"));
  // A format that could not be read must not be used as a divisor.
  return format.sample_rate != 0 && format.channels != 0 ? format : Format();
}

Napi::Object format_to_value(Napi::Env env, const Format& format) {
  Napi::Object value = Napi::Object::New(env);
  value.Set("sampleRate", format.sample_rate);
  value.Set("channels", format.channels);
  value.Set("sampleFormat", format_name(format.sample_format));
  return value;
}

Napi::Object device_to_value(Napi::Env env, const DeviceInfo& device, bool fed) {
  Napi::Object value = Napi::Object::New(env);
  value.Set("id", device.id);
  value.Set("name", device.name);
  value.Set("flow", device.flow == Flow::kInput ? "input" : "output");
  value.Set("state", state_name(device.state));
  Napi::Array roles = Napi::Array::New(env);
  uint32_t count = 0;
  if (device.default_console) roles.Set(count++, "console");
  if (device.default_communications) roles.Set(count++, "communications");
  value.Set("defaultRoles", roles);
  value.Set("format", format_to_value(env, device.format));
  value.Set("virtual", device.is_virtual);
  const std::string& transport = device.origin.transport;
  const bool is_virtual = device.is_virtual || !device.cable.driver.empty();
  value.Set("transport", is_virtual ? "virtual" : transport.empty() ? "unknown" : transport);
  value.Set("handsFree", device.origin.hands_free);
  if (device.stand_in) value.Set("standIn", true);
  set_text(value, "driver", device.driver);
  set_text(value, "peerId", device.peer_id);
  value.Set("fed", fed);
  const CableEnd& cable = device.cable;
  set_text(value, "cable", cable.driver);
  set_text(value, "product", cable.product);
  set_text(value, "bus", cable.bus);
  set_text(value, "recognisedBy", evidence_name(cable.recognised_by));
  set_text(value, "pairedBy", evidence_name(cable.paired_by));
  value.Set("possiblePeers", to_array(env, cable.possible_peers));
  return value;
}

static Api api_from(const std::string& name) {
  if (name == "mme") return Api::kMme;
  return name == "directsound" ? Api::kDirectSound : Api::kWasapi;
}

OpenOptions open_options_from(const Napi::Value& value) {
  const Napi::Object object = value.As<Napi::Object>();
  const auto flag = [&object](const char* key) {
    const Napi::Value given = property(object, key);
    return given.IsBoolean() && given.As<Napi::Boolean>().Value();
  };
  OpenOptions options;
  options.exclusive = flag("exclusive");
  options.low_latency = flag("lowLatency");
  options.raw = flag("raw");
  const std::string category = property(object, "category").As<Napi::String>();
  if (category == "communications") options.category = Category::kCommunications;
  if (category == "media") options.category = Category::kMedia;
  if (category == "speech") options.category = Category::kSpeech;
  const Napi::Value api = property(object, "api");
  if (api.IsString()) options.api = api_from(api.As<Napi::String>());
  const Napi::Value reference = property(object, "echoReference");
  if (reference.IsString()) options.echo_reference = reference.As<Napi::String>();
  const Napi::Value microphone = property(object, "microphone");
  if (microphone.IsString()) options.microphone = microphone.As<Napi::String>();
  const Napi::Value format = property(object, "format");
  if (format.IsObject()) options.format = format_from_value(format);
  return options;
}

Napi::Object process_id_to_value(Napi::Env env, const ProcessId& id) {
  Napi::Object value = Napi::Object::New(env);
  value.Set("pid", id.pid);
  value.Set("startTime", Napi::BigInt::New(env, id.start_time));
  return value;
}

static ProcessId process_id_from(const Napi::Value& value) {
  const Napi::Object object = value.As<Napi::Object>();
  ProcessId id;
  id.pid = property(object, "pid").As<Napi::Number>().Uint32Value();
  const Napi::Value start_time = property(object, "startTime");
  bool lossless;
  if (start_time.IsBigInt()) id.start_time = start_time.As<Napi::BigInt>().Int64Value(&lossless);
  return id;
}

std::vector<ProcessId> process_ids_from(const Napi::Value& list) {
  std::vector<ProcessId> ids;
  if (!list.IsArray()) return ids;
  const Napi::Array array = list.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) ids.push_back(process_id_from(element(array, i)));
  return ids;
}

Napi::Array to_array(Napi::Env env, const std::vector<std::string>& texts) {
  return to_array(env, texts,
                  [env](const std::string& text) { return Napi::String::New(env, text); });
}

Napi::Array to_array(Napi::Env env, const std::vector<ProcessId>& ids) {
  return to_array(env, ids, [env](const ProcessId& id) { return process_id_to_value(env, id); });
}

Napi::Object process_to_value(Napi::Env env, const ProcessInfo& process) {
  static constexpr const char* kStates[] = {"silent", "inactive", "active"};
  Napi::Object value = process_id_to_value(env, process.id);
  value.Set("root", process_id_to_value(env, process.root));
  value.Set("ancestors", to_array(env, process.ancestors));
  value.Set("name", process.name);
  value.Set("path", process.path);
  value.Set("displayName", process.display_name);
  value.Set("state", kStates[static_cast<size_t>(process.state)]);
  if (!std::isnan(process.level)) value.Set("levelDb", decibels(process.level));
  value.Set("volume", process.volume);
  value.Set("muted", process.muted);
  value.Set("devices", to_array(env, process.device_ids));
  if (!process.origin.empty()) value.Set("origin", process.origin);
  return value;
}

ProcessSelection process_selection_from(const Napi::Value& value) {
  const Napi::Object object = value.As<Napi::Object>();
  ProcessSelection selection;
  selection.everything = is_true(property(object, "everything"));
  selection.include = process_ids_from(property(object, "include"));
  selection.exclude = process_ids_from(property(object, "exclude"));
  return selection;
}

Napi::Object stream_info_to_value(Napi::Env env, const StreamInfo& info) {
  Napi::Object value = Napi::Object::New(env);
  value.Set("format", format_to_value(env, info.format));
  value.Set("periodFrames", info.period_frames);
  value.Set("deviceId", info.device_id);
  value.Set("realtime", info.realtime.granted);
  value.Set("whyNotRealtime", info.realtime.why_not);
  value.Set("exclusive", info.granted.exclusive);
  set_text(value, "api", info.granted.api);
  const auto set_wish = [&](const char* key, const Wish& wish) {
    if (wish.granted) {
      value.Set(key, true);
    } else {
      value.Set(key, wish.why_not);
    }
  };
  set_wish("lowLatency", info.granted.low_latency);
  set_wish("raw", info.granted.raw);
  set_wish("category", info.granted.category);
  set_wish("echoReference", info.granted.echo_reference);
  value.Set("echoCancelled", info.echo_cancelled);
  return value;
}

double decibels(float linear) { return 20 * std::log10(static_cast<double>(linear)); }

Napi::Object level_to_value(Napi::Env env, const Level& level) {
  Napi::Object value = Napi::Object::New(env);
  value.Set("peakDb", decibels(level.peak));
  value.Set("rmsDb", decibels(level.rms));
  return value;
}

Napi::Array events_to_value(Napi::Env env, NodeEvents& events) {
  Napi::Array list = Napi::Array::New(env);
  uint32_t count = 0;
  for (const NodeEvent& event : events.take()) {
    Napi::Object value = Napi::Object::New(env);
    value.Set("type", event_name(event.type));
    value.Set("frame", static_cast<double>(event.frame));
    value.Set("frames", static_cast<double>(event.frames));
    list.Set(count++, value);
  }
  return list;
}

Napi::BigInt time_to_value(Napi::Env env, double ns) {
  return Napi::BigInt::New(env, static_cast<int64_t>(std::llround(ns)));
}

Napi::Value time_at(Napi::Env env, const Anchor& anchor, const Napi::Value& frame) {
  if (anchor.rate == 0) return env.Undefined();
  return time_to_value(env, anchor.time_at(frame.As<Napi::Number>().DoubleValue()));
}

Napi::Value frame_at(Napi::Env env, const Anchor& anchor, const Napi::Value& time) {
  if (anchor.rate == 0) return env.Undefined();
  bool lossless;
  const int64_t at = time.As<Napi::BigInt>().Int64Value(&lossless);
  return Napi::Number::New(env, anchor.frame_at(static_cast<double>(at)));
}

uint32_t channel_mask_from(const Napi::Value& format) {
  const Napi::Value mask = property(format.As<Napi::Object>(), "channelMask");
  return mask.IsNumber() ? mask.As<Napi::Number>().Uint32Value() : 0;
}

ChannelRouting channel_routing_from(const Napi::Value& value) {
  ChannelRouting routing;
  if (!value.IsArray()) return routing;
  const Napi::Array rows = value.As<Napi::Array>();
  for (uint32_t i = 0; i < rows.Length(); ++i) {
    const Napi::Value row = element(rows, i);
    if (row.IsArray()) {
      const Napi::Array cells = row.As<Napi::Array>();
      std::vector<float> values;
      for (uint32_t k = 0; k < cells.Length(); ++k) {
        values.push_back(element(cells, k).As<Napi::Number>().FloatValue());
      }
      routing.gains.push_back(std::move(values));
    } else {
      routing.sources.push_back(row.As<Napi::Number>().Int32Value());
    }
  }
  return routing;
}

std::unique_ptr<ChannelMap> channel_map_from(const Napi::Value& value, uint32_t in, uint32_t out) {
  const ChannelRouting routing = channel_routing_from(value);
  return routing.empty() && in == out ? nullptr : routing.map(in, out);
}

}  // namespace patchcord
