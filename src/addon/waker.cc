#include "waker.h"

#include <utility>

#include "environment.h"
#include "values.h"

namespace patchcord {
namespace {

constexpr const char* kOnWake = "onWake";

Napi::ObjectReference holder_of(const Napi::Value& on_wake) {
  Napi::Object holder = Napi::Object::New(on_wake.Env());
  holder.Set(kOnWake, on_wake);
  return Napi::Persistent(holder);
}

}  // namespace

Waker::Waker(std::shared_ptr<Environment> environment, Napi::Object owner,
             const Napi::Value& on_wake)
    : Waker(std::move(environment), Napi::Weak(owner)) {
  owner.Set(kOnWake, on_wake);
}

Waker::Waker(std::shared_ptr<Environment> environment, const Napi::Value& on_wake)
    : Waker(std::move(environment), holder_of(on_wake)) {}

Waker::Waker(std::shared_ptr<Environment> environment, Napi::ObjectReference owner)
    : environment_(std::move(environment)), bell_(environment_->bell()), owner_(std::move(owner)) {
  environment_->add(this);
}

void Waker::silence() {
  environment_->remove(this);
  owner_.Reset();
}

void Waker::serve() {
  if (!bell_->take()) return;
  const Napi::Object owner = owner_.Value();
  if (owner.IsEmpty()) return;  // the object has been collected
  const Napi::Value on_wake = property(owner, kOnWake);
  if (on_wake.IsFunction()) on_wake.As<Napi::Function>().Call({});
}

}  // namespace patchcord
