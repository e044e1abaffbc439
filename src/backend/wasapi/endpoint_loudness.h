// How loud Windows' own sliders leave an endpoint. Any thread in the multithreaded apartment.
#pragma once

#include "../backend.h"
#include "com_support.h"

namespace patchcord {

// Multiplies what the endpoint's volume does into `hearing`; nothing where it has none.
void read_loudness(IMMDevice* device, const std::string& id, Hearing* hearing);

}  // namespace patchcord
