// Calls into JavaScript after a bell was rung.
#pragma once

#include <napi.h>

#include <memory>

#include "bell.h"

namespace patchcord {

class Environment;

// Calls `onWake` of an object. JS thread; nodes and threads reference the bell, not this object.
class Waker {
 public:
  // `onWake` becomes a property of `owner`, the object that this waker belongs to. The reference is
  // weak, so that a waker does not keep a stream from being collected.
  Waker(std::shared_ptr<Environment> environment, Napi::Object owner, const Napi::Value& on_wake);
  // The callback is kept until silence().
  Waker(std::shared_ptr<Environment> environment, const Napi::Value& on_wake);
  ~Waker() { silence(); }
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  const std::shared_ptr<Bell>& bell() const { return bell_; }
  void silence();  // no more calls; the callback is released
  void serve();    // calls, if the bell was rung since the last call

 private:
  Waker(std::shared_ptr<Environment> environment, Napi::ObjectReference owner);

  const std::shared_ptr<Environment> environment_;
  const std::shared_ptr<Bell> bell_;
  Napi::ObjectReference owner_;
};

}  // namespace patchcord
