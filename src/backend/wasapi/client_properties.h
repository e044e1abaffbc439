// The purpose of a stream, and whether the system's effects may change its audio. Windows accepts
// both only before the stream is initialised.
#pragma once

#include "../backend.h"
#include "com_support.h"

namespace patchcord {

// Audio thread. If Windows refuses, the stream gets the default treatment, and `granted` says so.
void set_client_properties(IAudioClient* client, const OpenOptions& options, Granted* granted);

}  // namespace patchcord
