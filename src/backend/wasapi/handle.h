// Kernel objects that close themselves.
#pragma once

#include "windows_sdk.h"

namespace patchcord {

class Handle {
 public:
  explicit Handle(HANDLE handle = nullptr) : handle_(handle) {}
  ~Handle() {
    if (handle_ != nullptr) CloseHandle(handle_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  HANDLE get() const { return handle_; }

 private:
  HANDLE handle_;
};

// An event that one wait resets.
inline HANDLE make_pulse() { return CreateEventW(nullptr, FALSE, FALSE, nullptr); }

// An event that stays set.
inline HANDLE make_latch() { return CreateEventW(nullptr, TRUE, FALSE, nullptr); }

}  // namespace patchcord
