#include "hold_object.h"

namespace patchcord {

Napi::Function HoldObject::define(Napi::Env env) {
  return DefineClass(env, "Hold", {InstanceMethod<&HoldObject::release>("release")});
}

HoldObject::HoldObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<HoldObject>(info),
      environment_(Environment::of(info.Env())),
      owner_(Napi::Persistent(info[0].As<Napi::Object>())) {
  environment_->ref();
}

Napi::Value HoldObject::release(const Napi::CallbackInfo& info) {
  if (!owner_.IsEmpty()) environment_->unref();
  owner_.Reset();
  return info.Env().Undefined();
}

}  // namespace patchcord
