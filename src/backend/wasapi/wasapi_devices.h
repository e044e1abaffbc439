// Endpoints: listing them and finding one by its id. Any thread in the multithreaded apartment.
#pragma once

#include <string>
#include <vector>

#include "../backend.h"
#include "com_support.h"

namespace patchcord {

// An enumerator belongs to the thread that made it.
CallResult create_enumerator(ComPtr<IMMDeviceEnumerator>* enumerator);

// Endpoints of both flows in every state.
Error read_devices(IMMDeviceEnumerator* enumerator, std::vector<DeviceInfo>* devices);

// A text that differs once an endpoint, its state or a default is another one.
CallResult summarise_endpoints(IMMDeviceEnumerator* enumerator, std::string* summary);

// Finds the active endpoint with this id, or returns the reason why there is none.
Error find_device(IMMDeviceEnumerator* enumerator, const std::string& id, Flow flow,
                  ComPtr<IMMDevice>* device);

// The user's choice in the sound settings: the format that its driver runs at. `wave` is the
// driver's own description.
bool read_device_format(IMMDevice* device, WAVEFORMATEXTENSIBLE* wave, Format* format);

}  // namespace patchcord
