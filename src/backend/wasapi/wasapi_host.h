// The Windows backend: event-driven shared-mode WASAPI on its own COM threads.
#pragma once

#include <memory>

#include "../backend.h"

namespace patchcord {

// Control thread, which is not a COM thread and does not become one. kBackendUnavailable: there is
// no Core Audio, or its service does not run.
Error open_wasapi_host(std::unique_ptr<Host>* host);

}  // namespace patchcord
