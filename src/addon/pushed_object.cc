#include "pushed_object.h"

namespace patchcord {

Napi::Function PushedObject::define(Napi::Env env) {
  return DefineClass(env, "Pushed",
                     {
                         InstanceMethod<&PushedObject::packet>("packet"),
                         InstanceMethod<&PushedObject::idle>("idle"),
                         InstanceMethod<&PushedObject::state>("state"),
                     });
}

// packet(samples | null, frames, position, time)
Napi::Value PushedObject::packet(const Napi::CallbackInfo& info) {
  Packet packet;
  packet.frames = info[1].As<Napi::Number>().Uint32Value();
  packet.position = info[2].As<Napi::Number>().Int64Value();
  if (info[3].IsNumber()) packet.time = info[3].As<Napi::Number>().Int64Value();
  if (info[0].IsTypedArray()) packet.data = info[0].As<Napi::Uint8Array>().Data();
  if (packet.frames > 0) device_->packet(packet);
  return info.Env().Undefined();
}

// idle(): no packet has come for a while
Napi::Value PushedObject::idle(const Napi::CallbackInfo& info) {
  device_->idle();
  return info.Env().Undefined();
}

// state(muted, volume, peak)
Napi::Value PushedObject::state(const Napi::CallbackInfo& info) {
  EndpointState state;
  state.known = true;
  state.muted = info[0].IsBoolean() && info[0].As<Napi::Boolean>().Value();
  state.volume = info[1].As<Napi::Number>().FloatValue();
  state.peak = info[2].As<Napi::Number>().FloatValue();
  device_->show(state);
  return info.Env().Undefined();
}

}  // namespace patchcord
