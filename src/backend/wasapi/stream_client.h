// An IAudioClient driven by an event, in shared or exclusive mode. Made, used and destroyed on the
// audio thread of one stream.
#pragma once

#include "../backend.h"
#include "com_support.h"

namespace patchcord {

struct ClientRequest {
  OpenOptions options;
  DWORD flags = 0;            // of shared mode: added to EVENTCALLBACK
  REFERENCE_TIME buffer = 0;  // of shared mode: headroom, the smallest that the system may give
  bool plays = false;
  const GUID* session = nullptr;  // null: the one that all streams of the program share
};

// A client that nothing was asked of but its properties.
CallResult activate_client(IMMDevice* device, const OpenOptions& options,
                           ComPtr<IAudioClient>* client, StreamInfo* info);

// Where a description says that the channels stand.
void set_speakers(const WAVEFORMATEX* wave, StreamInfo* info);

class StreamClient {
 public:
  ~StreamClient();

  // What open() is called in errors.
  static const char* attempt(const OpenOptions& options) {
    return options.exclusive ? "opening the device in exclusive mode" : "opening the device";
  }
  // `wake` is signalled once a period.
  CallResult open(IMMDevice* device, const ClientRequest& request, HANDLE wake, StreamInfo* info);
  CallResult start();

  // Frames that wait to be read, or to be played. Fails once the device is gone.
  CallResult padding(UINT32* frames);
  IAudioClient* get() const { return client_.get(); }

 private:
  CallResult initialize(IMMDevice* device, const ClientRequest& request, StreamInfo* info);

  ComPtr<IAudioClient> client_;
  bool started_ = false;
};

}  // namespace patchcord
