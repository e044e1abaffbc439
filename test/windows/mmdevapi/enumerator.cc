#include "enumerator.h"

#include <utility>
#include <vector>

#include "endpoint.h"
#include "endpoint_id.h"
#include "engine.h"
#include "results.h"

namespace patchcord {
namespace {

bool is_of(const DeviceInfo& device, EDataFlow flow) {
  return flow == eAll || (flow == eCapture) == (device.flow == Flow::kInput);
}

// A snapshot.
class Collection final : public CountedObject<IMMDeviceCollection> {
 public:
  explicit Collection(std::vector<DeviceInfo> devices) : devices_(std::move(devices)) {}

  HRESULT STDMETHODCALLTYPE GetCount(UINT* count) override {
    PATCHCORD_SCRIPTED("", "IMMDeviceCollection::GetCount");
    if (count == nullptr) return E_POINTER;
    *count = static_cast<UINT>(devices_.size());
    return S_OK;
  }

  HRESULT STDMETHODCALLTYPE Item(UINT index, IMMDevice** device) override {
    if (device == nullptr) return E_POINTER;
    *device = nullptr;
    if (index >= devices_.size()) return E_INVALIDARG;
    PATCHCORD_SCRIPTED(devices_[index].id, "IMMDeviceCollection::Item");
    *device = new Endpoint(devices_[index]);
    return S_OK;
  }

 private:
  const std::vector<DeviceInfo> devices_;
};

}  // namespace

DeviceEnumerator* DeviceEnumerator::get() {
  static DeviceEnumerator& enumerator = *new DeviceEnumerator;
  return &enumerator;
}

HRESULT DeviceEnumerator::QueryInterface(REFIID iid, void** object) {
  if (object == nullptr) return E_POINTER;
  *object = nullptr;
  if (iid != __uuidof(IUnknown) && iid != __uuidof(IMMDeviceEnumerator)) return E_NOINTERFACE;
  *object = this;
  AddRef();
  return S_OK;
}

// Each reference counts as an object, so that one that is not released is found.
ULONG DeviceEnumerator::AddRef() {
  ++live_objects;
  return ++references_;
}

ULONG DeviceEnumerator::Release() {
  --live_objects;
  return --references_;
}

HRESULT DeviceEnumerator::EnumAudioEndpoints(EDataFlow flow, DWORD states,
                                             IMMDeviceCollection** collection) {
  if (collection == nullptr) return E_POINTER;
  *collection = nullptr;
  PATCHCORD_SCRIPTED("", "IMMDeviceEnumerator::EnumAudioEndpoints");
  if (flow >= EDataFlow_enum_count || (states & ~DEVICE_STATEMASK_ALL) != 0) return E_INVALIDARG;
  std::vector<DeviceInfo> devices;
  if (Error error = Engine::get().world->devices(&devices)) return to_result(error);
  std::vector<DeviceInfo> wanted;
  for (DeviceInfo& device : devices) {
    if (is_of(device, flow) && (to_state_bit(device.state) & states) != 0) {
      wanted.push_back(std::move(device));
    }
  }
  *collection = new Collection(std::move(wanted));
  return S_OK;
}

HRESULT DeviceEnumerator::GetDefaultAudioEndpoint(EDataFlow flow, ERole role, IMMDevice** device) {
  if (device == nullptr) return E_POINTER;
  *device = nullptr;
  PATCHCORD_SCRIPTED("", "IMMDeviceEnumerator::GetDefaultAudioEndpoint");
  if ((flow != eRender && flow != eCapture) || role >= ERole_enum_count) return E_INVALIDARG;
  std::vector<DeviceInfo> devices;
  if (Error error = Engine::get().world->devices(&devices)) return to_result(error);
  const auto is_default =
      role == eCommunications ? &DeviceInfo::default_communications : &DeviceInfo::default_console;
  for (const DeviceInfo& candidate : devices) {
    if (!is_of(candidate, flow) || !(candidate.*is_default)) continue;
    *device = new Endpoint(candidate);
    return S_OK;
  }
  return kElementNotFound;
}

HRESULT DeviceEnumerator::GetDevice(LPCWSTR id, IMMDevice** device) {
  if (device == nullptr || id == nullptr) return E_POINTER;
  *device = nullptr;
  std::vector<DeviceInfo> devices;
  if (Error error = Engine::get().world->devices(&devices)) return to_result(error);
  const DeviceInfo* const found = find_endpoint(devices, id);
  PATCHCORD_SCRIPTED(found != nullptr ? found->id : "", "IMMDeviceEnumerator::GetDevice");
  if (found == nullptr) return id[0] == L'{' ? kElementNotFound : E_INVALIDARG;
  *device = new Endpoint(*found);
  return S_OK;
}

HRESULT DeviceEnumerator::RegisterEndpointNotificationCallback(IMMNotificationClient* client) {
  PATCHCORD_SCRIPTED("", "IMMDeviceEnumerator::RegisterEndpointNotificationCallback");
  if (client == nullptr) return E_POINTER;
  std::vector<DeviceInfo> devices;
  if (Error error = Engine::get().world->devices(&devices)) return to_result(error);
  Engine::get().notifier.add(client);
  return S_OK;
}

HRESULT DeviceEnumerator::UnregisterEndpointNotificationCallback(IMMNotificationClient* client) {
  if (client == nullptr) return E_POINTER;
  return Engine::get().notifier.remove(client) ? S_OK : kElementNotFound;
}

}  // namespace patchcord
