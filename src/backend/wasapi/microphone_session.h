// The session of streams that play into a virtual microphone.
#pragma once

#include "windows_sdk.h"

namespace patchcord {

// Each program has its own session with this id.
constexpr GUID kMicrophoneSession = {
    0x1f6b9a52, 0x7c3e, 0x4d0b, {0x9a, 0x41, 0x5e, 0x27, 0xc8, 0x03, 0x6d, 0xb4}};

}  // namespace patchcord
