#include "endpoint_loudness.h"

#include <endpointvolume.h>

#include <cmath>
#include <string>

#include "microphone_session.h"

namespace patchcord {

void read_loudness(IMMDevice* device, const std::string& id, Hearing* hearing) {
  ComPtr<IAudioEndpointVolume> volume;
  if (FAILED(device->Activate(__uuidof(IAudioEndpointVolume), CLSCTX_ALL, nullptr,
                              volume.receive()))) {
    return;
  }
  BOOL muted = FALSE;
  float db = 0;
  if (SUCCEEDED(volume->GetMute(&muted)) && muted) hearing->weaken(id, 0);
  if (SUCCEEDED(volume->GetMasterVolumeLevel(&db))) {
    hearing->weaken(id, std::pow(10.0, static_cast<double>(db) / 20.0));
  }
}

void read_session_loudness(IMMDevice* device, Hearing* hearing) {
  ComPtr<IAudioSessionManager> manager;
  ComPtr<ISimpleAudioVolume> volume;
  if (FAILED(device->Activate(__uuidof(IAudioSessionManager), CLSCTX_ALL, nullptr,
                              manager.receive())) ||
      FAILED(manager->GetSimpleAudioVolume(&kMicrophoneSession, FALSE, volume.receive()))) {
    return;
  }
  BOOL muted = FALSE;
  float scalar = 0;
  if (SUCCEEDED(volume->GetMute(&muted)) && muted) hearing->weaken(Hearing::kOwnStream, 0);
  if (SUCCEEDED(volume->GetMasterVolume(&scalar))) {
    hearing->weaken(Hearing::kOwnStream, static_cast<double>(scalar));
  }
}

}  // namespace patchcord
