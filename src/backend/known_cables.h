// The virtual cables and virtual mixers that are known, and how each is told from hardware. The one
// place for it: backends say what their system tells of a device (DeviceOrigin) and ask here.
#pragma once

#include <vector>

#include "backend.h"

namespace patchcord {

// Fills in `cable`, `is_virtual` and `peer_id` of every device that is an end of a cable, from its
// origin, or, where the system tells none, its name. What a backend paired itself stays. Only
// active devices are paired: a driver that was reinstalled leaves its old, absent ones behind.
// `own`: what the system's own cables are called, those that the backend paired and no driver is
// known of.
void recognise_cables(std::vector<DeviceInfo>* devices, const char* own = "");

}  // namespace patchcord
