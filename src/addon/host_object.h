// class Host: one audio system.
#pragma once

#include <napi.h>

#include <memory>

#include "environment.h"

namespace patchcord {

class HostObject final : public Napi::ObjectWrap<HostObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit HostObject(const Napi::CallbackInfo& info);  // (name: string | World)
  ~HostObject() override;

  const std::shared_ptr<HostEntry>& entry() const { return entry_; }

 private:
  Napi::Value makes_cables(const Napi::CallbackInfo& info);
  Napi::Value list_devices(const Napi::CallbackInfo& info);
  Napi::Value list_processes(const Napi::CallbackInfo& info);
  Napi::Value list_playing(const Napi::CallbackInfo& info);
  Napi::Value watch(const Napi::CallbackInfo& info);
  Napi::Value watch_processes(const Napi::CallbackInfo& info);
  Napi::Value unwatch_processes(const Napi::CallbackInfo& info);
  Napi::Value make_cable(const Napi::CallbackInfo& info);
  Napi::Value make_speaker(const Napi::CallbackInfo& info);
  Napi::Value remove_made(const Napi::CallbackInfo& info);
  Napi::Value move_processes(const Napi::CallbackInfo& info);
  Napi::Value send_strangers_away(const Napi::CallbackInfo& info);
  Napi::Value child_environment(const Napi::CallbackInfo& info);
  Napi::Value ask_hearing(const Napi::CallbackInfo& info);
  Napi::Value claim_cable(const Napi::CallbackInfo& info);
  void unclaim_cable(const Napi::CallbackInfo& info);
  Napi::Value now(const Napi::CallbackInfo& info);

  std::shared_ptr<Environment> environment_;
  std::shared_ptr<HostEntry> entry_;
  std::unique_ptr<Waker> watcher_;
  std::map<uint32_t, std::unique_ptr<Waker>> process_watchers_;
  uint32_t process_watchers_made_ = 0;
};

}  // namespace patchcord
