// The IAudioClient of an endpoint: microphone, loopback, render. In shared mode at the mix format,
// in exclusive mode, where the policy allows it, too.
#pragma once

#include "audio_client.h"
#include "policies.h"

namespace patchcord {

class EndpointClient final : public AudioClient {
 public:
  explicit EndpointClient(const DeviceInfo& device)
      : AudioClient(device.id, Generation::kThird), device_(device) {}

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
  EnginePeriod engine_period() const override;
  void on_running(bool running) override;
  // The additional conditions of exclusive mode: S_OK, or the reason for a refusal.
  HRESULT check_exclusive(const Request& request, const DeviceInfo& now, uint32_t* frames);

  ~EndpointClient() override;

  // The device as it is now; fails when it is gone, or the service is stopped.
  HRESULT look(DeviceInfo* now) const;
  HRESULT claim(bool exclusive);

  const DeviceInfo device_;  // when activated: the mix has its format, whatever comes
  uint32_t Claims::*claimed_ = nullptr;
};

}  // namespace patchcord
