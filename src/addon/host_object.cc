#include "host_object.h"

#include "../backend/registry.h"
#include "../backend/simulated/simulated_host.h"
#include "values.h"
#include "world_object.h"

namespace patchcord {

Napi::Function HostObject::define(Napi::Env env) {
  return DefineClass(env, "Host",
                     {
                         InstanceMethod<&HostObject::list_devices>("listDevices"),
                         InstanceMethod<&HostObject::watch>("watch"),
                         InstanceMethod<&HostObject::make_cable>("makeCable"),
                         InstanceMethod<&HostObject::remove_cable>("removeCable"),
                         InstanceMethod<&HostObject::ask_hearing>("askHearing"),
                         InstanceMethod<&HostObject::now>("now"),
                     });
}

HostObject::HostObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<HostObject>(info), environment_(Environment::of(info.Env())) {
  if (info[0].IsString()) {
    const std::string name = info[0].As<Napi::String>();
    entry_ = environment_->host(name, real_clock(), [name](std::unique_ptr<Host>* host) {
      if (name != "simulated") return open_host(name, host);
      std::shared_ptr<World> world;
      if (Error error = World::create(WorldDescription::standard(), &world)) return error;
      *host = open_simulated_host(world);
      return Error::none();
    });
  } else {
    WorldObject* world = WorldObject::Unwrap(info[0].As<Napi::Object>());
    if (world != nullptr) entry_ = world->host_entry();
  }
}

HostObject::~HostObject() {
  if (watcher_) entry_->remove_watcher(watcher_.get());
}

Napi::Value HostObject::list_devices(const Napi::CallbackInfo& info) {
  struct Answer {
    std::vector<DeviceInfo> devices;
    std::multiset<std::string> fed;
  };
  auto answer = std::make_shared<Answer>();
  return environment_->promise(
      info.Env(),
      [entry = entry_, answer] {
        answer->fed = entry->fed;
        Error error;
        // That a connection was lost may only be found out by using it: then once more, on a new
        // one.
        for (int attempt = 0; attempt < 2; ++attempt) {
          std::shared_ptr<Host> host;
          if (Error unreachable = entry->use(&host)) return unreachable;
          error = host->list_devices(&answer->devices);
          if (error.code != ErrorCode::kBackendUnavailable) break;
        }
        return error;
      },
      [answer](Napi::Env env) -> Napi::Value {
        Napi::Array list = Napi::Array::New(env);
        for (uint32_t i = 0; i < answer->devices.size(); ++i) {
          const DeviceInfo& device = answer->devices[i];
          const bool fed = answer->fed.count(device.id) != 0 ||
                           (!device.peer_id.empty() && answer->fed.count(device.peer_id) != 0);
          list.Set(i, device_to_value(env, device, fed));
        }
        return list;
      });
}

// watch(callback | null)
Napi::Value HostObject::watch(const Napi::CallbackInfo& info) {
  if (watcher_) entry_->remove_watcher(watcher_.get());
  watcher_.reset();
  if (info[0].IsFunction()) {
    watcher_ = std::make_unique<Waker>(environment_, info[0].As<Napi::Function>());
    entry_->add_watcher(watcher_.get());
  }
  return info.Env().Undefined();
}

Napi::Value HostObject::make_cable(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  const Format format = format_from_value(info[1]);
  auto cable = std::make_shared<Cable>();
  return environment_->promise(
      info.Env(),
      [entry = entry_, name, format, cable] {
        std::shared_ptr<Host> host;
        if (Error error = entry->use(&host)) return error;
        return host->make_cable(name, format, cable.get());
      },
      [cable](Napi::Env env) -> Napi::Value {
        Napi::Object value = Napi::Object::New(env);
        value.Set("renderId", cable->render_id);
        value.Set("microphone", device_to_value(env, cable->microphone, true));
        return value;
      });
}

Napi::Value HostObject::remove_cable(const Napi::CallbackInfo& info) {
  Cable cable;
  cable.render_id = info[0].As<Napi::String>();
  cable.microphone.id = info[1].As<Napi::String>();
  return environment_->promise(
      info.Env(),
      [entry = entry_, cable] {
        std::shared_ptr<Host> host;
        if (Error error = entry->use(&host)) return error;
        host->remove_cable(cable);
        return Error::none();
      },
      nullptr);
}

// askHearing(renderId, microphoneId): Promise<{ volume, quietest?, buses?, mixerProblem? }>
Napi::Value HostObject::ask_hearing(const Napi::CallbackInfo& info) {
  const std::string render_id = info[0].As<Napi::String>();
  const std::string microphone_id = info[1].As<Napi::String>();
  auto hearing = std::make_shared<Hearing>();
  return environment_->promise(
      info.Env(),
      [entry = entry_, render_id, microphone_id, hearing] {
        std::shared_ptr<Host> host;
        if (Error error = entry->use(&host)) return error;
        return host->ask_hearing(render_id, microphone_id, hearing.get());
      },
      [hearing](Napi::Env env) -> Napi::Value {
        Napi::Object value = Napi::Object::New(env);
        value.Set("volume", hearing->volume);
        if (!hearing->quietest.empty()) value.Set("quietest", hearing->quietest);
        if (!hearing->mixer_known) return value;
        Napi::Array buses = Napi::Array::New(env);
        for (uint32_t i = 0; i < hearing->buses.size(); ++i) buses.Set(i, hearing->buses[i]);
        value.Set("buses", buses);
        if (!hearing->mixer_problem.empty()) value.Set("mixerProblem", hearing->mixer_problem);
        return value;
      });
}

Napi::Value HostObject::now(const Napi::CallbackInfo& info) {
  return Napi::BigInt::New(info.Env(), entry_->clock().now());
}

}  // namespace patchcord
