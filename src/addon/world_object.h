// class World: the script of a simulated audio system (patchcord/testing).
#pragma once

#include <napi.h>

#include <memory>

#include "../backend/simulated/world.h"
#include "environment.h"

namespace patchcord {

// Every script method returns null, or the error's record.
class WorldObject final : public Napi::ObjectWrap<WorldObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // ({ devices?, cables?, manualStart? }): without devices and cables the standard world
  explicit WorldObject(const Napi::CallbackInfo& info);

  ~WorldObject() override;

  const std::shared_ptr<HostEntry>& host_entry() const { return entry_; }

 private:
  Napi::Value error(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value advance(const Napi::CallbackInfo& info);
  Napi::Value play(const Napi::CallbackInfo& info);
  Napi::Value stop(const Napi::CallbackInfo& info);
  Napi::Value record(const Napi::CallbackInfo& info);
  Napi::Value recorded(const Napi::CallbackInfo& info);
  Napi::Value add_device(const Napi::CallbackInfo& info);
  Napi::Value add_cable(const Napi::CallbackInfo& info);
  Napi::Value add_process(const Napi::CallbackInfo& info);
  Napi::Value script_process(const Napi::CallbackInfo& info);
  Napi::Value script(const Napi::CallbackInfo& info);
  Napi::Value answer(Napi::Env env, const Error& error);

  std::shared_ptr<Environment> environment_;
  std::shared_ptr<World> world_;
  std::shared_ptr<HostEntry> entry_;
  Error creation_;
};

}  // namespace patchcord
