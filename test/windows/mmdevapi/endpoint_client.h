// The IAudioClient of an endpoint: microphone, loopback, render; shared mode at the mix format.
#pragma once

#include "audio_client.h"

namespace patchcord {

class EndpointClient final : public AudioClient {
 public:
  explicit EndpointClient(const DeviceInfo& device) : AudioClient(device.id), device_(device) {}

  HRESULT STDMETHODCALLTYPE GetStreamLatency(REFERENCE_TIME* latency) override;
  HRESULT STDMETHODCALLTYPE GetCurrentPadding(UINT32* frames) override;
  HRESULT STDMETHODCALLTYPE IsFormatSupported(AUDCLNT_SHAREMODE mode, const WAVEFORMATEX* wave,
                                              WAVEFORMATEX** closest) override;
  HRESULT STDMETHODCALLTYPE GetMixFormat(WAVEFORMATEX** wave) override;
  HRESULT STDMETHODCALLTYPE GetDevicePeriod(REFERENCE_TIME* standard,
                                            REFERENCE_TIME* minimum) override;

 private:
  HRESULT open(const Request& request) override;
  HRESULT make_service(REFIID iid, void** service) override;

  const DeviceInfo device_;  // when activated: its format is the mix's, whatever comes
};

}  // namespace patchcord
