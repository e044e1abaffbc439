// How far Windows' own volume settings lower an endpoint. Any thread in the multithreaded
// apartment.
#pragma once

#include "../backend.h"
#include "com_support.h"

namespace patchcord {

// Multiplies the endpoint's volume into `hearing`; does nothing if it has none.
void read_loudness(IMMDevice* device, const std::string& id, Hearing* hearing);

// The same for this program's own volume there, as Windows' volume mixer shows it.
void read_session_loudness(IMMDevice* device, Hearing* hearing);

}  // namespace patchcord
