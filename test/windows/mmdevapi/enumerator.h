// The way in: the endpoints there are.
#pragma once

#include <cstdint>

#include "counted_object.h"
#include "engine.h"
#include "results.h"

namespace patchcord {

class DeviceEnumerator final : public CountedObject<IMMDeviceEnumerator> {
 public:
  HRESULT STDMETHODCALLTYPE EnumAudioEndpoints(EDataFlow flow, DWORD states,
                                               IMMDeviceCollection** collection) override;
  HRESULT STDMETHODCALLTYPE GetDefaultAudioEndpoint(EDataFlow flow, ERole role,
                                                    IMMDevice** device) override;
  HRESULT STDMETHODCALLTYPE GetDevice(LPCWSTR id, IMMDevice** device) override;
  HRESULT STDMETHODCALLTYPE
  RegisterEndpointNotificationCallback(IMMNotificationClient* client) override;
  HRESULT STDMETHODCALLTYPE
  UnregisterEndpointNotificationCallback(IMMNotificationClient* client) override;

 private:
  // It talks to the service that ran when it was made; to a later one it takes a new enumerator.
  HRESULT reach() const {
    return service_run_ == Engine::get().service_run ? S_OK : kServerUnavailable;
  }

  const uint32_t service_run_ = Engine::get().service_run;
};

}  // namespace patchcord
