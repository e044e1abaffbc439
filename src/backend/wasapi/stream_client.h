// An IAudioClient driven by an event, in shared or exclusive mode. Made, used and destroyed on the
// audio thread of one stream.
#pragma once

#include "../backend.h"
#include "com_support.h"

namespace patchcord {

struct ClientRequest {
  OpenOptions options;
  DWORD flags = 0;            // for shared mode: added to EVENTCALLBACK
  REFERENCE_TIME buffer = 0;  // for shared mode: headroom; the system may give more
  bool plays = false;
  const GUID* session = nullptr;  // null: the session that all streams of the program share
};

// Creates a client on which only its properties are set.
CallResult activate_client(IMMDevice* device, const OpenOptions& options,
                           ComPtr<IAudioClient>* client, StreamInfo* info);

// Copies the speaker mask of a description.
void set_speakers(const WAVEFORMATEX* wave, StreamInfo* info);

class StreamClient {
 public:
  ~StreamClient();

  // The name of open() in errors.
  static const char* attempt(const OpenOptions& options) {
    return options.exclusive ? "opening the device in exclusive mode" : "opening the device";
  }
  // `wake` is signalled once a period.
  CallResult open(IMMDevice* device, const ClientRequest& request, HANDLE wake, StreamInfo* info);
  CallResult start();

  // How many frames wait to be read, or to be played. Fails once the device is gone.
  CallResult padding(UINT32* frames);
  IAudioClient* get() const { return client_.get(); }

 private:
  CallResult initialize(IMMDevice* device, const ClientRequest& request, StreamInfo* info);

  ComPtr<IAudioClient> client_;
  bool started_ = false;
};

}  // namespace patchcord
