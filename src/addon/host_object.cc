#include "host_object.h"

#include "../backend/registry.h"
#include "values.h"
#include "world_object.h"

namespace patchcord {

Napi::Function HostObject::define(Napi::Env env) {
  return DefineClass(env, "Host",
                     {
                         InstanceMethod<&HostObject::makes_cables>("makesCables"),
                         InstanceMethod<&HostObject::list_devices>("listDevices"),
                         InstanceMethod<&HostObject::list_processes>("listProcesses"),
                         InstanceMethod<&HostObject::list_playing>("listPlaying"),
                         InstanceMethod<&HostObject::watch>("watch"),
                         InstanceMethod<&HostObject::watch_processes>("watchProcesses"),
                         InstanceMethod<&HostObject::unwatch_processes>("unwatchProcesses"),
                         InstanceMethod<&HostObject::make_cable>("makeCable"),
                         InstanceMethod<&HostObject::make_speaker>("makeSpeaker"),
                         InstanceMethod<&HostObject::remove_made>("removeMade"),
                         InstanceMethod<&HostObject::move_processes>("moveProcesses"),
                         InstanceMethod<&HostObject::send_strangers_away>("sendStrangersAway"),
                         InstanceMethod<&HostObject::child_environment>("childEnvironment"),
                         InstanceMethod<&HostObject::ask_hearing>("askHearing"),
                         InstanceMethod<&HostObject::claim_cable>("claimCable"),
                         InstanceMethod<&HostObject::unclaim_cable>("unclaimCable"),
                         InstanceMethod<&HostObject::now>("now"),
                     });
}

namespace {

HostEntry::CableUse cable_use_from(const Napi::Value& value) {
  const std::string use = value.As<Napi::String>();
  return use == "speaker" ? HostEntry::CableUse::kSpeaker : HostEntry::CableUse::kMicrophone;
}

}  // namespace

HostObject::HostObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<HostObject>(info), environment_(Environment::of(info.Env())) {
  if (info[0].IsString()) {
    const std::string name = info[0].As<Napi::String>();
    entry_ = environment_->host(name, real_clock(), [name](std::unique_ptr<Host>* host) {
      return open_host(backends(), name, host);
    });
  } else {
    WorldObject* world = WorldObject::Unwrap(info[0].As<Napi::Object>());
    if (world != nullptr) entry_ = world->host_entry();
  }
}

HostObject::~HostObject() {
  if (watcher_) entry_->remove_watcher(watcher_->bell());
  for (auto& [id, watcher] : process_watchers_) entry_->remove_watcher(watcher->bell());
}

// claimCable(renderId, 'microphone' | 'speaker', isShared): boolean
Napi::Value HostObject::claim_cable(const Napi::CallbackInfo& info) {
  const std::string render_id = info[0].As<Napi::String>();
  return Napi::Boolean::New(info.Env(),
                            entry_->claim(render_id, cable_use_from(info[1]), is_true(info[2])));
}

// unclaimCable(renderId, 'microphone' | 'speaker')
void HostObject::unclaim_cable(const Napi::CallbackInfo& info) {
  entry_->unclaim(info[0].As<Napi::String>(), cable_use_from(info[1]));
}

// makesCables(): Promise<boolean>
Napi::Value HostObject::makes_cables(const Napi::CallbackInfo& info) {
  auto answer = std::make_shared<bool>();
  return environment_->promise(
      info.Env(),
      [entry = entry_, answer] {
        std::shared_ptr<Host> host;
        if (Error error = entry->use(&host)) return error;
        *answer = host->makes_cables();
        return Error::none();
      },
      [answer](Napi::Env env) -> Napi::Value { return Napi::Boolean::New(env, *answer); });
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
        // The loss of a connection may show only when it is used. Then the call is tried once more,
        // on a new connection.
        for (int attempt = 0; attempt < 2; ++attempt) {
          std::shared_ptr<Host> host;
          if (Error unreachable = entry->use(&host)) return unreachable;
          error = host->list_devices(&answer->devices);
          if (error.code != ErrorCode::kBackendUnavailable) break;
        }
        return error;
      },
      [answer](Napi::Env env) -> Napi::Value {
        return to_array(env, answer->devices, [env, &answer](const DeviceInfo& device) {
          const bool fed = answer->fed.count(device.id) != 0 ||
                           (!device.peer_id.empty() && answer->fed.count(device.peer_id) != 0);
          return device_to_value(env, device, fed);
        });
      });
}

// listProcesses({ inputs, running, levels }): Promise<Process[]>
Napi::Value HostObject::list_processes(const Napi::CallbackInfo& info) {
  const Napi::Object options = info[0].As<Napi::Object>();
  ProcessQuery query;
  query.flow = is_true(property(options, "inputs")) ? Flow::kInput : Flow::kOutput;
  query.running = is_true(property(options, "running"));
  query.levels = is_true(property(options, "levels"));
  auto processes = std::make_shared<std::vector<ProcessInfo>>();
  return environment_->promise(
      info.Env(),
      [entry = entry_, query, processes] {
        Error error;
        for (int attempt = 0; attempt < 2; ++attempt) {  // as for devices
          std::shared_ptr<Host> host;
          if (Error unreachable = entry->use(&host)) return unreachable;
          processes->clear();
          error = host->list_processes(query, processes.get());
          if (error.code != ErrorCode::kBackendUnavailable) break;
        }
        return error;
      },
      [processes](Napi::Env env) -> Napi::Value {
        return to_array(env, *processes, [env](const ProcessInfo& process) {
          return process_to_value(env, process);
        });
      });
}

// listPlaying(): Promise<string[]>, the ids of outputs, each once for each program
Napi::Value HostObject::list_playing(const Napi::CallbackInfo& info) {
  auto output_ids = std::make_shared<std::vector<std::string>>();
  return environment_->promise(
      info.Env(),
      [entry = entry_, output_ids] {
        std::shared_ptr<Host> host;
        if (Error error = entry->use(&host)) return error;
        return host->list_playing(output_ids.get());
      },
      [output_ids](Napi::Env env) -> Napi::Value { return to_array(env, *output_ids); });
}

// watch(callback | null)
Napi::Value HostObject::watch(const Napi::CallbackInfo& info) {
  if (watcher_) entry_->remove_watcher(watcher_->bell());
  watcher_.reset();
  if (info[0].IsFunction()) {
    watcher_ = std::make_unique<Waker>(environment_, info[0]);
    entry_->add_watcher(HostEntry::Watched::kDevices, watcher_->bell());
  }
  return info.Env().Undefined();
}

// watchProcesses(callback): number, for unwatchProcesses(). Many sources watch one host.
Napi::Value HostObject::watch_processes(const Napi::CallbackInfo& info) {
  const uint32_t id = ++process_watchers_made_;
  auto watcher = std::make_unique<Waker>(environment_, info[0]);
  entry_->add_watcher(HostEntry::Watched::kProcesses, watcher->bell());
  process_watchers_[id] = std::move(watcher);
  return Napi::Number::New(info.Env(), id);
}

Napi::Value HostObject::unwatch_processes(const Napi::CallbackInfo& info) {
  const auto found = process_watchers_.find(info[0].As<Napi::Number>().Uint32Value());
  if (found != process_watchers_.end()) {
    entry_->remove_watcher(found->second->bell());
    process_watchers_.erase(found);
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

// makeSpeaker(name, format): Promise<string>, the id of the output
Napi::Value HostObject::make_speaker(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  const Format format = format_from_value(info[1]);
  auto output_id = std::make_shared<std::string>();
  return environment_->promise(
      info.Env(),
      [entry = entry_, name, format, output_id] {
        std::shared_ptr<Host> host;
        if (Error error = entry->use(&host)) return error;
        return host->make_speaker(name, format, output_id.get());
      },
      [output_id](Napi::Env env) -> Napi::Value { return Napi::String::New(env, *output_id); });
}

Napi::Value HostObject::remove_made(const Napi::CallbackInfo& info) {
  const std::string output_id = info[0].As<Napi::String>();
  return environment_->promise(
      info.Env(),
      [entry = entry_, output_id] {
        std::shared_ptr<Host> host;
        if (Error error = entry->use(&host)) return error;
        host->remove_made(output_id);
        return Error::none();
      },
      nullptr);
}

// moveProcesses(processes, outputId): Promise<ProcessId[]>
Napi::Value HostObject::move_processes(const Napi::CallbackInfo& info) {
  const std::vector<ProcessId> processes = process_ids_from(info[0]);
  const std::string output_id = info[1].As<Napi::String>();
  auto moved = std::make_shared<std::vector<ProcessId>>();
  return environment_->promise(
      info.Env(),
      [entry = entry_, processes, output_id, moved] {
        std::shared_ptr<Host> host;
        if (Error error = entry->use(&host)) return error;
        return host->move_processes(processes, output_id, moved.get());
      },
      [moved](Napi::Env env) -> Napi::Value { return to_array(env, *moved); });
}

// sendStrangersAway(outputId): Promise<string[]>, their names
Napi::Value HostObject::send_strangers_away(const Napi::CallbackInfo& info) {
  const std::string output_id = info[0].As<Napi::String>();
  auto moved = std::make_shared<std::vector<std::string>>();
  return environment_->promise(
      info.Env(),
      [entry = entry_, output_id, moved] {
        std::shared_ptr<Host> host;
        if (Error error = entry->use(&host)) return error;
        return host->send_strangers_away(output_id, moved.get());
      },
      [moved](Napi::Env env) -> Napi::Value { return to_array(env, *moved); });
}

// childEnvironment(outputId, inputId): Promise<Record<string, string>>
Napi::Value HostObject::child_environment(const Napi::CallbackInfo& info) {
  const std::string output_id = info[0].As<Napi::String>();
  const std::string input_id = info[1].As<Napi::String>();
  auto variables = std::make_shared<ChildEnvironment>();
  return environment_->promise(
      info.Env(),
      [entry = entry_, output_id, input_id, variables] {
        std::shared_ptr<Host> host;
        if (Error error = entry->use(&host)) return error;
        return host->child_environment(output_id, input_id, variables.get());
      },
      [variables](Napi::Env env) -> Napi::Value {
        Napi::Object value = Napi::Object::New(env);
        for (const auto& [name, text] : *variables) value.Set(name, text);
        return value;
      });
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
