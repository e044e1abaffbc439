// ActivateAudioInterfaceAsync, for process loopback.
#pragma once

#include "counted_object.h"

namespace patchcord {

// Any thread of the multithreaded apartment. The handler is called on another.
HRESULT activate_process_loopback(LPCWSTR device, REFIID iid, PROPVARIANT* params,
                                  IActivateAudioInterfaceCompletionHandler* handler,
                                  IActivateAudioInterfaceAsyncOperation** operation);

}  // namespace patchcord
