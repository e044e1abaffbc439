// Functions of system libraries that not every Windows has, or that most programs never need.
#pragma once

#include "windows_sdk.h"

namespace patchcord {

// Never unloaded. Loaded from the system's folder alone.
class SystemLibrary {
 public:
  explicit SystemLibrary(const wchar_t* name)
      : library_(LoadLibraryExW(name, nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32)) {}

  // nullptr if there is none.
  template <class Function>
  Function* find(const char* name) const {
    if (library_ == nullptr) return nullptr;
    void* const found = reinterpret_cast<void*>(GetProcAddress(library_, name));
    return reinterpret_cast<Function*>(found);
  }

 private:
  HMODULE library_;
};

}  // namespace patchcord
