#include "notification_client.h"

#include <cstring>

namespace patchcord {
namespace {

bool is_same(const PROPERTYKEY& a, const PROPERTYKEY& b) {
  return a.pid == b.pid && std::memcmp(&a.fmtid, &b.fmtid, sizeof(a.fmtid)) == 0;
}

}  // namespace

HRESULT NotificationClient::OnDeviceStateChanged(LPCWSTR, DWORD) {
  SetEvent(changed());
  return S_OK;
}

HRESULT NotificationClient::OnDeviceAdded(LPCWSTR) {
  SetEvent(changed());
  return S_OK;
}

HRESULT NotificationClient::OnDeviceRemoved(LPCWSTR) {
  SetEvent(changed());
  return S_OK;
}

HRESULT NotificationClient::OnDefaultDeviceChanged(EDataFlow, ERole, LPCWSTR) {
  SetEvent(changed());
  return S_OK;
}

HRESULT NotificationClient::OnPropertyValueChanged(LPCWSTR, const PROPERTYKEY key) {
  // Drivers change many properties all the time; only these appear in the device list. If a user
  // renames a device, Windows reports a change of its description, from which the friendly name is
  // made.
  for (const PROPERTYKEY& shown :
       {PKEY_Device_FriendlyName, PKEY_Device_DeviceDesc, PKEY_DeviceInterface_FriendlyName,
        PKEY_AudioEngine_DeviceFormat}) {
    if (is_same(key, shown)) SetEvent(changed());
  }
  return S_OK;
}

}  // namespace patchcord
