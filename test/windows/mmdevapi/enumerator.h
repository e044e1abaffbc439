// The way in: the endpoints there are.
#pragma once

#include <atomic>

#include "counted_object.h"

namespace patchcord {

// One object a process, which is never destroyed. It reaches the service whenever that runs; what
// was registered ends with each run.
class DeviceEnumerator final : public IMMDeviceEnumerator {
 public:
  static DeviceEnumerator* get();

  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID iid, void** object) override;
  ULONG STDMETHODCALLTYPE AddRef() override;
  ULONG STDMETHODCALLTYPE Release() override;

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
  std::atomic<ULONG> references_{0};
};

}  // namespace patchcord
