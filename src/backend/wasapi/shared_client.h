// A shared-mode IAudioClient at the device's mix format, driven by an event. Made, used and
// destroyed on the audio thread of one stream.
#pragma once

#include "../backend.h"
#include "com_support.h"

namespace patchcord {

class SharedClient {
 public:
  ~SharedClient();

  // `flags` are added to EVENTCALLBACK. `buffer` is headroom: the smallest buffer that the system
  // may give. `wake` is signalled once a period.
  CallResult open(IMMDevice* device, DWORD flags, REFERENCE_TIME buffer, HANDLE wake,
                  StreamInfo* info);
  CallResult start();

  // Frames that wait to be read, or to be played. Fails once the device is gone.
  CallResult padding(UINT32* frames);
  IAudioClient* get() const { return client_.get(); }

 private:
  ComPtr<IAudioClient> client_;
  bool started_ = false;
};

}  // namespace patchcord
