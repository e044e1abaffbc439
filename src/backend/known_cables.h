// The known virtual cables and virtual mixers, and how each is distinguished from hardware. This is
// the only place for it: backends report the properties of a device (DeviceOrigin) and call this.
#pragma once

#include <vector>

#include "backend.h"

namespace patchcord {

// Fills in `cable`, `is_virtual` and `peer_id` of every device that is an end of a cable, from its
// origin, or from its name if the system reports no origin. Pairs that the backend found itself
// stay. Only active devices are paired, because a driver that was reinstalled leaves its old,
// absent devices behind. `own`: the driver name for the system's own cables, which the backend
// paired and no known driver made.
void recognise_cables(std::vector<DeviceInfo>* devices, const char* own = "");

}  // namespace patchcord
