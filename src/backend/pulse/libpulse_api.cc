#include "libpulse_api.h"

#include <dlfcn.h>

namespace patchcord {
namespace pulse {
namespace {

struct Loaded {
  LibPulse functions;
  Error error;
};

Loaded load() {
  Loaded loaded;
  void* handle = dlopen("libpulse.so.0", RTLD_NOW | RTLD_LOCAL);
  const char* missing = handle ? nullptr : "libpulse.so.0";
#define PATCHCORD_RESOLVE(result, name, parameters)                                       \
  if (!missing) {                                                                         \
    loaded.functions.name = reinterpret_cast<result(*) parameters>(dlsym(handle, #name)); \
    if (!loaded.functions.name) missing = #name;                                          \
  }
  PATCHCORD_LIBPULSE_FUNCTIONS(PATCHCORD_RESOLVE)
#undef PATCHCORD_RESOLVE
  if (missing) {
    const char* reason = dlerror();
    loaded.error = Error::make(ErrorCode::kBackendUnavailable,
                               std::string("The PulseAudio client library could not be loaded: ") +
                                   (reason ? reason : missing),
                               "Install libpulse0 (Debian, Ubuntu), pulseaudio-libs (Fedora) or "
                               "libpulse (Arch, Alpine); PipeWire uses it too");
    loaded.error.syscall = handle ? "dlsym" : "dlopen";
  }
  return loaded;
}

}  // namespace

Error load_libpulse(const LibPulse** library) {
  static const Loaded& loaded = *new Loaded(load());
  *library = &loaded.functions;
  return loaded.error;
}

}  // namespace pulse
}  // namespace patchcord
