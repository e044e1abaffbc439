// The echo cancellation of Windows: whether a microphone's stream has it, and its reference.
#pragma once

#include "../backend.h"
#include "com_support.h"

namespace patchcord {

// Audio thread. Sets the reference that `options` request, and what `info` says about it.
void look_at_echo_cancellation(IAudioClient* client, const OpenOptions& options, StreamInfo* info);

}  // namespace patchcord
