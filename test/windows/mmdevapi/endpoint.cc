#include "endpoint.h"

#include <cstring>
#include <string>
#include <vector>

#include "endpoint_client.h"
#include "endpoint_id.h"
#include "endpoint_volume.h"
#include "engine.h"
#include "property_store.h"
#include "results.h"
#include "session_objects.h"

namespace patchcord {

HRESULT Endpoint::look(DeviceInfo* now) const {
  std::vector<DeviceInfo> devices;
  if (Error error = Engine::get().world->devices(&devices)) return to_result(error);
  for (const DeviceInfo& device : devices) {
    if (device.id != device_.id) continue;
    *now = device;
    return S_OK;
  }
  *now = device_;
  now->state = DeviceState::kNotPresent;
  return S_OK;
}

HRESULT Endpoint::Activate(REFIID iid, DWORD, PROPVARIANT*, void** object) {
  if (object == nullptr) return E_POINTER;
  *object = nullptr;
  PATCHCORD_SCRIPTED(device_.id, "IMMDevice::Activate");
  DeviceInfo now;
  const HRESULT looked = look(&now);
  if (FAILED(looked)) return looked;
  if (now.state != DeviceState::kActive) return AUDCLNT_E_DEVICE_INVALIDATED;
  if (iid == __uuidof(IAudioEndpointVolume)) {
    return hand_over(new EndpointVolume(now), iid, object);
  }
  if (iid == __uuidof(IAudioSessionManager) || iid == __uuidof(IAudioSessionManager2)) {
    return hand_over(new SessionManager(now.id), iid, object);
  }
  if (iid == __uuidof(IAudioMeterInformation)) return EndpointMeter::make(now, iid, object);
  return hand_over(new EndpointClient(now), iid, object);
}

HRESULT Endpoint::OpenPropertyStore(DWORD access, IPropertyStore** store) {
  if (store == nullptr) return E_POINTER;
  *store = nullptr;
  PATCHCORD_SCRIPTED(device_.id, "IMMDevice::OpenPropertyStore");
  if (access > STGM_READWRITE) return E_INVALIDARG;
  if (access != STGM_READ) return E_ACCESSDENIED;
  DeviceInfo now;
  const HRESULT looked = look(&now);
  if (FAILED(looked)) return looked;
  *store = new EndpointProperties(now);
  return S_OK;
}

HRESULT Endpoint::GetId(LPWSTR* id) {
  if (id == nullptr) return E_POINTER;
  *id = nullptr;
  PATCHCORD_SCRIPTED(device_.id, "IMMDevice::GetId");
  const std::wstring text = to_endpoint_id(device_);
  const size_t bytes = (text.size() + 1) * sizeof(wchar_t);
  *id = static_cast<LPWSTR>(CoTaskMemAlloc(bytes));
  if (*id == nullptr) return E_OUTOFMEMORY;
  std::memcpy(*id, text.c_str(), bytes);
  return S_OK;
}

HRESULT Endpoint::GetState(DWORD* state) {
  if (state == nullptr) return E_POINTER;
  PATCHCORD_SCRIPTED(device_.id, "IMMDevice::GetState");
  DeviceInfo now;
  const HRESULT looked = look(&now);
  *state = to_state_bit(now.state);
  return looked;
}

HRESULT Endpoint::GetDataFlow(EDataFlow* flow) {
  if (flow == nullptr) return E_POINTER;
  PATCHCORD_SCRIPTED(device_.id, "IMMEndpoint::GetDataFlow");
  *flow = device_.flow == Flow::kInput ? eCapture : eRender;
  return S_OK;
}

}  // namespace patchcord
