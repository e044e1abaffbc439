// The PulseAudio protocol as a Host: PulseAudio itself and PipeWire speak it.
#pragma once

#include <memory>

#include "../backend.h"

namespace patchcord {

// Control thread. Connects to the server of this user (or PULSE_SERVER) within 10 s, and removes
// cables that crashed processes left on it.
Error open_pulse_host(std::unique_ptr<Host>* host);

}  // namespace patchcord
