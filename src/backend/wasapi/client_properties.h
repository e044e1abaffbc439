// What a stream is for, and whether the system's effects may touch it: told to Windows before the
// stream is initialised, or it has no effect.
#pragma once

#include "../backend.h"
#include "com_support.h"

namespace patchcord {

// Audio thread. A refusal leaves the stream the default treatment and is told in `granted`.
void set_client_properties(IAudioClient* client, const OpenOptions& options, Granted* granted);

}  // namespace patchcord
