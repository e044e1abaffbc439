// The Windows backend: event-driven shared-mode WASAPI on its own COM threads.
#pragma once

#include <memory>

#include "../backend.h"

namespace patchcord {

// Control thread, which need not be (and is not made) a COM thread. kBackendUnavailable: no Core
// Audio, or its service does not run.
Error open_wasapi_host(std::unique_ptr<Host>* host);

}  // namespace patchcord
