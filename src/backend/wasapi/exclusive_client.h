// Opens a stream in exclusive mode, in a format and a period of the driver itself.
#pragma once

#include "stream_client.h"

namespace patchcord {

// Audio thread. The new client is initialised for events: each is the signal to read, or to fill,
// the whole buffer.
CallResult open_exclusive(IMMDevice* device, const ClientRequest& request,
                          ComPtr<IAudioClient>* client, StreamInfo* info);

}  // namespace patchcord
