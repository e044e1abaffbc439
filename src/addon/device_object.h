// The common base of the JavaScript objects that own a device, for both directions.
#pragma once

#include <napi.h>

#include <memory>
#include <utility>

#include "device_session.h"
#include "host_object.h"
#include "values.h"

namespace patchcord {

// `Session` is the DeviceSession that runs while the device is open. JS thread.
template <typename Object, typename Session>
class DeviceObject : public Napi::ObjectWrap<Object> {
 protected:
  explicit DeviceObject(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<Object>(info), environment_(Environment::of(info.Env())) {
    const HostObject* host = HostObject::Unwrap(info[0].As<Napi::Object>());
    if (host != nullptr) entry_ = host->entry();
  }

  // Returns Promise<StreamInfo>, for `preferred` in periods of `period_ms`. A later call replaces
  // the device by another one.
  template <typename Request>
  Napi::Value open_device(Napi::Env env, Request request, const Format& preferred,
                          const Napi::Value& period_ms) {
    request.preferred = preferred;
    request.period_frames = static_cast<uint32_t>(
        preferred.sample_rate * period_ms.As<Napi::Number>().DoubleValue() / 1000);
    auto opened = std::make_shared<StreamInfo>();
    if (!std::exchange(opened_, true)) this->Ref();  // an open device keeps its object
    return environment_->promise(
        env,
        [environment = environment_, entry = entry_, session = session_, request, opened] {
          environment->add(session);
          return session->open(entry, request, opened.get());
        },
        [opened](Napi::Env env) -> Napi::Value { return stream_info_to_value(env, *opened); });
  }

  // Returns Promise<void>: the device is released, the stream continues without one.
  Napi::Value leave_device(Napi::Env env) {
    return environment_->promise(
        env,
        [session = session_] {
          session->leave();
          return Error::none();
        },
        nullptr);
  }

  // Returns Promise<void>: the device is released and no more events are reported. `released` is
  // called before the promise is resolved.
  template <typename Released>
  Napi::Value close_device(Napi::Env env, Released released) {
    this->Ref();  // until the completion, because nothing else may reference the object
    return environment_->promise(
        env,
        [environment = environment_, session = session_] {
          session->release();
          environment->remove(session);
          return Error::none();
        },
        [this, released](Napi::Env env) -> Napi::Value {
          released();
          waker_->silence();
          if (std::exchange(opened_, false)) this->Unref();
          this->Unref();
          return env.Undefined();
        });
  }

  // The reason why the device was lost, once; else null.
  Napi::Value take_loss(Napi::Env env) {
    const Error error = session_->take_error();
    return error ? error_to_value(env, error) : env.Null();
  }

  std::shared_ptr<Environment> environment_;
  std::shared_ptr<HostEntry> entry_;  // null: the first argument was not a host
  std::unique_ptr<Waker> waker_;
  std::shared_ptr<Session> session_;

 private:
  bool opened_ = false;  // at least once
};

}  // namespace patchcord
