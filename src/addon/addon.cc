// The addon's entry: the names that lib/engine/native.ts gets.
#include <napi.h>

#include "../backend/registry.h"
#include "conversion.h"
#include "filter_object.h"
#include "hold_object.h"
#include "host_object.h"
#include "mixer_object.h"
#include "pushed_object.h"
#include "sink_object.h"
#include "source_object.h"
#include "tap_object.h"
#include "world_object.h"

namespace patchcord {
namespace {

Napi::Value list_backends(const Napi::CallbackInfo& info) {
  Napi::Array list = Napi::Array::New(info.Env());
  uint32_t count = 0;
  for (const Backend& backend : patchcord::backends()) list.Set(count++, backend.name);
  return list;
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("backends", Napi::Function::New(env, list_backends));
  exports.Set("Hold", HoldObject::define(env));
  exports.Set("convert", Napi::Function::New(env, convert));
  exports.Set("World", WorldObject::define(env));
  exports.Set("Host", HostObject::define(env));
  exports.Set("Source", SourceObject::define(env));
  exports.Set("Pushed", PushedObject::define(env));
  exports.Set("Tap", TapObject::define(env));
  exports.Set("Mixer", MixerObject::define(env));
  exports.Set("MixerInput", MixerInputObject::define(env));
  exports.Set("Sink", SinkObject::define(env));
  exports.Set("Filter", FilterObject::define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(patchcord, initialize)

}  // namespace patchcord
