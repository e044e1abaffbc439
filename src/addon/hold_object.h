// class Hold: keeps the process and a stream alive, as a handle of libuv would.
#pragma once

#include <napi.h>

#include <memory>

#include "environment.h"

namespace patchcord {

class HoldObject final : public Napi::ObjectWrap<HoldObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit HoldObject(const Napi::CallbackInfo& info);  // (owner), held until release()

 private:
  Napi::Value release(const Napi::CallbackInfo& info);

  const std::shared_ptr<Environment> environment_;
  Napi::ObjectReference owner_;
};

}  // namespace patchcord
