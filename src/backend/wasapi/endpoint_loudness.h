// How loud Windows' own sliders leave an endpoint. Any thread in the multithreaded apartment.
#pragma once

#include "../backend.h"
#include "com_support.h"

namespace patchcord {

// Multiplies what the endpoint's volume does into `hearing`; nothing where it has none.
void read_loudness(IMMDevice* device, const std::string& id, Hearing* hearing);

// The same of this program's own volume there, as Windows' volume mixer shows it.
void read_session_loudness(IMMDevice* device, Hearing* hearing);

}  // namespace patchcord
