#include "world_object.h"

#include <string>
#include <vector>

#include "../backend/simulated/simulated_host.h"
#include "values.h"

namespace patchcord {
namespace {

std::string text(const Napi::Object& object, const char* key, const char* otherwise = "") {
  const Napi::Value value = property(object, key);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : otherwise;
}

double number(const Napi::Object& object, const char* key, double otherwise = 0) {
  const Napi::Value value = property(object, key);
  return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : otherwise;
}

bool flag(const Napi::Object& object, const char* key) {
  const Napi::Value value = property(object, key);
  return value.IsBoolean() && value.As<Napi::Boolean>().Value();
}

int64_t to_ns(double ms) { return static_cast<int64_t>(ms * static_cast<double>(kNsPerMs)); }

// Bytes that a world reports to the garbage collector, which cannot see the world's threads.
constexpr int64_t kWeight = 4 << 20;

DeviceState state_from(const std::string& name) {
  if (name == "disabled") return DeviceState::kDisabled;
  if (name == "notPresent") return DeviceState::kNotPresent;
  if (name == "unplugged") return DeviceState::kUnplugged;
  return DeviceState::kActive;
}

DeviceOrigin origin_from(const Napi::Value& value) {
  DeviceOrigin origin;
  if (!value.IsObject()) return origin;
  const Napi::Object object = value.As<Napi::Object>();
  origin.maker = text(object, "maker");
  const std::string hardware_id = text(object, "hardwareId");
  if (!hardware_id.empty()) origin.hardware_ids.push_back(hardware_id);
  origin.service = text(object, "service");
  origin.parent = text(object, "parent");
  origin.end = text(object, "end");
  origin.transport = text(object, "transport");
  origin.hands_free = flag(object, "handsFree");
  return origin;
}

DeviceDescription device_from(const Napi::Value& value) {
  const Napi::Object object = value.As<Napi::Object>();
  DeviceDescription device;
  device.id = text(object, "id");
  device.name = text(object, "name", device.id.c_str());
  device.flow = text(object, "flow") == "output" ? Flow::kOutput : Flow::kInput;
  device.format = format_from_value(property(object, "format"));
  device.period_frames = static_cast<uint32_t>(number(object, "periodFrames"));
  device.default_console = flag(object, "defaultConsole");
  device.default_communications = flag(object, "defaultCommunications");
  device.drift_ppm = number(object, "driftPpm");
  device.phase_ns = to_ns(number(object, "phaseMs"));
  device.is_virtual = flag(object, "virtual");
  device.state = state_from(text(object, "state"));
  device.idle_silence = flag(object, "idleSilence");
  device.cancels_echo = flag(object, "cancelsEcho");
  device.origin = origin_from(property(object, "origin"));
  return device;
}

CableDescription cable_from(const Napi::Value& value) {
  const Napi::Object object = value.As<Napi::Object>();
  CableDescription cable;
  cable.render_id = text(object, "renderId");
  cable.render_name = text(object, "renderName", cable.render_id.c_str());
  cable.capture_id = text(object, "captureId");
  cable.capture_name = text(object, "captureName", cable.capture_id.c_str());
  cable.format = format_from_value(property(object, "format"));
  cable.period_frames = static_cast<uint32_t>(number(object, "periodFrames"));
  cable.drift_ppm = number(object, "driftPpm");
  cable.render_origin = origin_from(property(object, "renderOrigin"));
  cable.capture_origin = origin_from(property(object, "captureOrigin"));
  cable.tells_pair = !flag(object, "hidesPair");
  return cable;
}

SignalPtr signal_from(const Napi::Value& value) {
  const Napi::Object object = value.As<Napi::Object>();
  const std::string type = text(object, "type");
  if (type == "tone") {
    return tone(number(object, "frequency"), number(object, "gain", 1), number(object, "phase"),
                static_cast<int>(number(object, "channel", kAllChannels)));
  }
  if (type == "noise") {
    return noise(static_cast<uint64_t>(number(object, "seed", 1)), number(object, "gain", 1));
  }
  if (type == "pcm") {
    const Napi::Value value = property(object, "samples");
    if (!value.IsTypedArray()) return silence();
    const auto samples = value.As<Napi::Float32Array>();
    return sequence(std::vector<float>(samples.Data(), samples.Data() + samples.ElementLength()),
                    static_cast<uint32_t>(number(object, "channels", 1)), flag(object, "loop"));
  }
  if (type == "sum") {
    const Napi::Value value = property(object, "parts");
    if (!value.IsArray()) return silence();
    const auto list = value.As<Napi::Array>();
    std::vector<SignalPtr> parts;
    for (uint32_t i = 0; i < list.Length(); ++i) parts.push_back(signal_from(element(list, i)));
    return sum(std::move(parts));
  }
  return silence();
}

}  // namespace

Napi::Function WorldObject::define(Napi::Env env) {
  return DefineClass(env, "World",
                     {
                         InstanceMethod<&WorldObject::error>("error"),
                         InstanceMethod<&WorldObject::close>("close"),
                         InstanceMethod<&WorldObject::advance>("advance"),
                         InstanceMethod<&WorldObject::play>("play"),
                         InstanceMethod<&WorldObject::stop>("stop"),
                         InstanceMethod<&WorldObject::record>("record"),
                         InstanceMethod<&WorldObject::recorded>("recorded"),
                         InstanceMethod<&WorldObject::add_device>("addDevice"),
                         InstanceMethod<&WorldObject::add_cable>("addCable"),
                         InstanceMethod<&WorldObject::add_process>("addProcess"),
                         InstanceMethod<&WorldObject::script_process>("scriptProcess"),
                         InstanceMethod<&WorldObject::script>("script"),
                     });
}

WorldObject::WorldObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<WorldObject>(info), environment_(Environment::of(info.Env())) {
  const Napi::Object options = info[0].As<Napi::Object>();
  WorldDescription description;
  const Napi::Value devices = property(options, "devices");
  const Napi::Value cables = property(options, "cables");
  if (!devices.IsArray() && !cables.IsArray()) {
    description = WorldDescription::standard();
  } else {
    if (devices.IsArray()) {
      const Napi::Array list = devices.As<Napi::Array>();
      for (uint32_t i = 0; i < list.Length(); ++i) {
        description.devices.push_back(device_from(element(list, i)));
      }
    }
    if (cables.IsArray()) {
      const Napi::Array list = cables.As<Napi::Array>();
      for (uint32_t i = 0; i < list.Length(); ++i) {
        description.cables.push_back(cable_from(element(list, i)));
      }
    }
  }
  const Napi::Value start = property(options, "manualStart");
  if (start.IsBigInt()) {
    bool lossless = false;
    description.manual_clock = true;
    description.start_ns = start.As<Napi::BigInt>().Int64Value(&lossless);
  }
  creation_ = World::create(description, &world_);
  if (creation_) return;
  entry_ = environment_->make_host(
      "simulated", world_->clock(),
      [world = world_](std::unique_ptr<Host>* host) {
        *host = open_simulated_host(world);
        return Error::none();
      },
      [world = world_] { world->close(); });
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), kWeight);
}

WorldObject::~WorldObject() {
  if (entry_) Napi::MemoryManagement::AdjustExternalMemory(Env(), -kWeight);
}

Napi::Value WorldObject::answer(Napi::Env env, const Error& error) {
  return error ? error_to_value(env, error) : env.Null();
}

// close(): Promise<void>. Its streams lose their devices, its threads end.
Napi::Value WorldObject::close(const Napi::CallbackInfo& info) {
  return environment_->promise(
      info.Env(),
      [entry = entry_] {
        entry->close();
        return Error::none();
      },
      nullptr);
}

// error(): why the world could not be made
Napi::Value WorldObject::error(const Napi::CallbackInfo& info) {
  return answer(info.Env(), creation_);
}

// advance(ms, asleep, done): done(error) after everything that was due has reached JavaScript's
// callbacks
Napi::Value WorldObject::advance(const Napi::CallbackInfo& info) {
  environment_->ref();
  // The clock's thread may be the last owner, also of an advance that never finishes. But a
  // JavaScript reference may only be deleted on the JS thread.
  const std::shared_ptr<Napi::FunctionReference> callback(
      new Napi::FunctionReference(Napi::Persistent(info[2].As<Napi::Function>())),
      [environment = environment_](Napi::FunctionReference* reference) {
        environment->complete([environment, reference = std::shared_ptr<Napi::FunctionReference>(
                                                reference)](Napi::Env) { environment->unref(); });
      });
  const auto finish = [environment = environment_, callback] {
    environment->complete([callback](Napi::Env) { callback->Call({}); });
  };
  return answer(info.Env(), world_->advance(to_ns(info[0].As<Napi::Number>().DoubleValue()), finish,
                                            info[1].As<Napi::Boolean>()));
}

// play(id, signal, program)
Napi::Value WorldObject::play(const Napi::CallbackInfo& info) {
  return answer(info.Env(), world_->play(info[0].As<Napi::String>(), signal_from(info[1]),
                                         info[2].As<Napi::String>()));
}

// stop(id, program?)
Napi::Value WorldObject::stop(const Napi::CallbackInfo& info) {
  const std::string id = info[0].As<Napi::String>();
  return answer(info.Env(), info[1].IsString() ? world_->stop(id, info[1].As<Napi::String>())
                                               : world_->stop(id));
}

// record(id, maxFrames)
Napi::Value WorldObject::record(const Napi::CallbackInfo& info) {
  return answer(info.Env(), world_->record(info[0].As<Napi::String>(),
                                           info[1].As<Napi::Number>().Int64Value()));
}

// recorded(id): { data: Float32Array, format, gaps: [{ frame, frames }], full }, or an error's
// record
Napi::Value WorldObject::recorded(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Recorded recorded;
  const Error error = world_->recorded(info[0].As<Napi::String>(), &recorded);
  if (error) return error_to_value(env, error);
  Napi::Object value = Napi::Object::New(env);
  auto data = Napi::Float32Array::New(env, recorded.data.size());
  if (data.IsEmpty()) return data;  // the worker has begun to end
  std::copy(recorded.data.begin(), recorded.data.end(), data.Data());
  value.Set("data", data);
  value.Set("format", format_to_value(env, recorded.format));
  Napi::Array gaps = Napi::Array::New(env, recorded.gaps.size());
  for (uint32_t i = 0; i < recorded.gaps.size(); ++i) {
    Napi::Object gap = Napi::Object::New(env);
    gap.Set("frame", static_cast<double>(recorded.gaps[i].frame));
    gap.Set("frames", static_cast<double>(recorded.gaps[i].frames));
    gaps.Set(i, gap);
  }
  value.Set("gaps", gaps);
  value.Set("full", recorded.full);
  return value;
}

Napi::Value WorldObject::add_device(const Napi::CallbackInfo& info) {
  return answer(info.Env(), world_->add_device(device_from(info[0])));
}

Napi::Value WorldObject::add_cable(const Napi::CallbackInfo& info) {
  return answer(info.Env(), world_->add_cable(cable_from(info[0])));
}

Napi::Value WorldObject::add_process(const Napi::CallbackInfo& info) {
  const Napi::Object object = info[0].As<Napi::Object>();
  ProcessDescription process;
  process.pid = static_cast<uint32_t>(number(object, "pid"));
  process.parent = static_cast<uint32_t>(number(object, "parent"));
  process.name = text(object, "name");
  process.path = text(object, "path");
  process.display_name = text(object, "displayName");
  process.is_protected = flag(object, "protected");
  return answer(info.Env(), world_->processes().begin(process));
}

// scriptProcess(verb, pid, value?, device?)
Napi::Value WorldObject::script_process(const Napi::CallbackInfo& info) {
  const std::string verb = info[0].As<Napi::String>();
  const uint32_t pid = info[1].As<Napi::Number>().Uint32Value();
  const auto truth = [&info] { return info[2].As<Napi::Boolean>().Value(); };
  WorldProcesses& processes = world_->processes();
  Error error;
  if (verb == "play") {
    error = processes.play(pid, info[3].As<Napi::String>(), signal_from(info[2]));
  } else if (verb == "stop") {
    error = processes.play(pid, info[3].As<Napi::String>(), nullptr);
  } else if (verb == "capture" || verb == "release") {
    error = processes.capture(pid, info[2].As<Napi::String>(), verb == "capture");
  } else if (verb == "move") {
    error = processes.move(pid, info[2].As<Napi::String>());
  } else if (verb == "exit") {
    error = processes.end(pid);
  } else if (verb == "volume") {
    error = processes.set_volume(pid, info[2].As<Napi::Number>().DoubleValue());
  } else if (verb == "mute") {
    error = processes.mute(pid, truth());
  } else if (verb == "delay") {
    error = processes.delay(pid, to_ns(info[2].As<Napi::Number>().DoubleValue()));
  } else if (verb == "protect") {
    error = processes.protect(pid, truth());
  } else if (verb == "deny") {
    error = processes.deny(pid, truth());
  } else if (verb == "idleSilence") {
    processes.set_idle_silence(truth());
  } else {
    error = Error::make(ErrorCode::kUnsupported, "a simulated process has no event '" + verb + "'");
  }
  return answer(info.Env(), error);
}

// script(verb, id, value?, second?): all methods that take a device and at most two plain values
Napi::Value WorldObject::script(const Napi::CallbackInfo& info) {
  const std::string verb = info[0].As<Napi::String>();
  const std::string id = info[1].As<Napi::String>();
  const auto real = [&info](size_t at) {
    return info[at].IsNumber() ? info[at].As<Napi::Number>().DoubleValue() : 0.0;
  };
  const auto truth = [&info] {
    return !info[2].IsBoolean() || info[2].As<Napi::Boolean>().Value();
  };
  World& world = *world_;
  Error error;
  if (verb == "removeDevice") {
    error = world.remove_device(id);
  } else if (verb == "unplug") {
    error = world.unplug(id);
  } else if (verb == "plug") {
    error = world.plug(id);
  } else if (verb == "setState") {
    error = world.set_state(id, state_from(info[2].As<Napi::String>()));
  } else if (verb == "setDefault") {
    const bool communications = info[2].As<Napi::String>().Utf8Value() == "communications";
    error = world.set_default(id, communications ? Role::kCommunications : Role::kConsole);
  } else if (verb == "setFormat") {
    error = world.set_format(id, format_from_value(info[2]));
  } else if (verb == "serverGone") {
    world.server_gone();
  } else if (verb == "serverBack") {
    world.server_back();
  } else if (verb == "drift") {
    error = world.drift(id, real(2));
  } else if (verb == "deny") {
    error = world.deny(id, truth());
  } else if (verb == "die") {
    error = world.die(id, truth());
  } else if (verb == "mute") {
    error = world.mute(id, truth());
  } else if (verb == "volume") {
    error = world.volume(id, real(2));
  } else if (verb == "glitch") {
    error = world.glitch(id, static_cast<int64_t>(real(2)));
  } else if (verb == "stall") {
    error = world.stall(id);
  } else if (verb == "resume") {
    error = world.resume(id);
  } else if (verb == "late") {
    error = world.late(id, to_ns(real(2)));
  } else if (verb == "delay") {
    error = world.delay(id, to_ns(real(2)));
  } else if (verb == "jitter") {
    error = world.jitter(id, to_ns(real(2)));
  } else if (verb == "stamps") {
    error = world.stamps(id, info[2].IsNumber() ? to_ns(real(2)) : kNoTime, to_ns(real(3)));
  } else {
    error = Error::make(ErrorCode::kUnsupported, "a simulated device has no event '" + verb + "'");
  }
  return answer(info.Env(), error);
}

}  // namespace patchcord
