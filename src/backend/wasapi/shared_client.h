// Opens a stream in shared mode: at the device's mix format, in the audio engine's period or in a
// shorter one (IAudioClient3).
#pragma once

#include "stream_client.h"

namespace patchcord {

// Audio thread. The new client is initialised for events.
CallResult open_shared(IMMDevice* device, const ClientRequest& request,
                       ComPtr<IAudioClient>* client, StreamInfo* info);

}  // namespace patchcord
