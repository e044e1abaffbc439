// The smallest backend that keeps to the contract: it connects, lists no device and opens none. A
// new backend begins as a copy of this folder (docs/adding-a-backend.md).
#pragma once

#include <memory>

#include "../../../src/backend/backend.h"

namespace patchcord {

// Control thread. Connects to the audio system, or fails with kBackendUnavailable and a remedy.
Error open_skeleton_host(std::unique_ptr<Host>* host);

}  // namespace patchcord
