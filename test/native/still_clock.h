// A clock that stands where it is put; nothing runs by it.
#pragma once

#include <cstdint>
#include <memory>

#include "../../src/core/time/clock.h"

namespace patchcord {

class StillClock final : public Clock {
 public:
  int64_t now() const noexcept override { return now_; }
  std::unique_ptr<Task> start(const char*, Priority, Step) override { return nullptr; }
  void set(int64_t now) { now_ = now; }
  void set(double now) { now_ = static_cast<int64_t>(now); }  // what is less than 1 ns is left out

 private:
  int64_t now_ = 0;
};

}  // namespace patchcord
