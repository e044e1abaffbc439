// class Pushed: a device that another process holds. JavaScript passes its packets on.
#pragma once

#include <napi.h>

#include <memory>

#include "../backend/pushed_device.h"

namespace patchcord {

class PushedObject final : public Napi::ObjectWrap<PushedObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit PushedObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PushedObject>(info) {}

  const std::shared_ptr<PushedDevice>& device() const { return device_; }

 private:
  Napi::Value packet(const Napi::CallbackInfo& info);
  Napi::Value idle(const Napi::CallbackInfo& info);
  Napi::Value state(const Napi::CallbackInfo& info);

  const std::shared_ptr<PushedDevice> device_ = std::make_shared<PushedDevice>();
};

}  // namespace patchcord
