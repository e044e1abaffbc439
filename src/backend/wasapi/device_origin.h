// Finds the driver of an endpoint. Any thread in the multithreaded apartment.
#pragma once

#include "../backend.h"
#include "com_support.h"

namespace patchcord {

// `store`: the endpoint's properties; nullptr if it has none.
DeviceOrigin read_origin(IPropertyStore* store);

}  // namespace patchcord
