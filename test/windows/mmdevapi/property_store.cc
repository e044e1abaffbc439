// The property keys of the headers are defined in this file, declared everywhere else.
#define INITGUID

#include "property_store.h"

#include <cstring>
#include <string>

#include "engine.h"
#include "wave_format.h"

namespace patchcord {
namespace {

// Both as read_origin() of the addon has them: the adapter's instance path, and the hardware id by
// which its driver was chosen.
const PROPERTYKEY kAdapterPath = {
    {0xb3f8fa53, 0x0004, 0x438e, {0x90, 0x03, 0x51, 0xa4, 0x6e, 0x13, 0x9b, 0xfc}}, 2};
const PROPERTYKEY kMatchingDeviceId = {
    {0xa8b865dd, 0x2e3d, 0x4094, {0xad, 0x97, 0xe5, 0x93, 0xa7, 0x0c, 0x75, 0xd6}}, 8};

// Not static: the keys' addresses are only known once the library is loaded.
const PROPERTYKEY* key_at(DWORD index) {
  const PROPERTYKEY* const keys[] = {&PKEY_Device_FriendlyName,
                                     &PKEY_Device_DeviceDesc,
                                     &PKEY_DeviceInterface_FriendlyName,
                                     &PKEY_AudioEngine_DeviceFormat,
                                     &PKEY_AudioEndpoint_FormFactor,
                                     &kAdapterPath,
                                     &kMatchingDeviceId};
  return index < sizeof(keys) / sizeof(keys[0]) ? keys[index] : nullptr;
}

bool is_same(const PROPERTYKEY& a, const PROPERTYKEY& b) {
  return a.pid == b.pid && IsEqualGUID(a.fmtid, b.fmtid);
}

HRESULT put_text(const std::string& text, PROPVARIANT* value) {
  const std::wstring wide = to_wide(text);
  const size_t bytes = (wide.size() + 1) * sizeof(wchar_t);
  value->pwszVal = static_cast<wchar_t*>(CoTaskMemAlloc(bytes));
  if (value->pwszVal == nullptr) return E_OUTOFMEMORY;
  std::memcpy(value->pwszVal, wide.c_str(), bytes);
  value->vt = VT_LPWSTR;
  return S_OK;
}

// "Microphone (USB Audio)" is what "Microphone" of "USB Audio" is shown as.
std::string description_of(const std::string& name) { return name.substr(0, name.find(" (")); }

std::string interface_of(const std::string& name) {
  const size_t open = name.find(" (");
  if (open == std::string::npos || name.back() != ')') return name;
  return name.substr(open + 2, name.size() - open - 3);
}

}  // namespace

HRESULT EndpointProperties::GetCount(DWORD* count) {
  PATCHCORD_SCRIPTED(device_.id, "IPropertyStore::GetCount");
  if (count == nullptr) return E_POINTER;
  *count = 0;
  while (key_at(*count) != nullptr) ++*count;
  return S_OK;
}

HRESULT EndpointProperties::GetAt(DWORD index, PROPERTYKEY* key) {
  PATCHCORD_SCRIPTED(device_.id, "IPropertyStore::GetAt");
  if (key == nullptr) return E_POINTER;
  if (key_at(index) == nullptr) return E_INVALIDARG;
  *key = *key_at(index);
  return S_OK;
}

HRESULT EndpointProperties::GetValue(REFPROPERTYKEY key, PROPVARIANT* value) {
  if (value == nullptr) return E_POINTER;
  PropVariantInit(value);
  PATCHCORD_SCRIPTED(device_.id, "IPropertyStore::GetValue");
  const std::string name = Engine::get().policies.of(device_.id).name.value_or(device_.name);
  if (is_same(key, PKEY_Device_FriendlyName)) return put_text(name, value);
  if (is_same(key, PKEY_Device_DeviceDesc)) return put_text(description_of(name), value);
  if (is_same(key, PKEY_DeviceInterface_FriendlyName)) {
    const std::string& maker = device_.origin.maker;
    return put_text(maker.empty() ? interface_of(device_.name) : maker, value);
  }
  if (is_same(key, kAdapterPath) && !device_.origin.parent.empty()) {
    return put_text("{1}." + device_.origin.parent, value);
  }
  if (is_same(key, kMatchingDeviceId) && !device_.origin.hardware_ids.empty()) {
    return put_text(device_.origin.hardware_ids[0], value);
  }
  if (is_same(key, PKEY_AudioEndpoint_FormFactor)) {
    value->vt = VT_UI4;
    value->ulVal = Engine::get()
                       .policies.of(device_.id)
                       .form.value_or(device_.flow == Flow::kInput ? Microphone : Speakers);
    return S_OK;
  }
  if (is_same(key, PKEY_AudioEngine_DeviceFormat)) {
    value->blob.pBlobData = reinterpret_cast<BYTE*>(
        allocate_wave_format(device_.format, Engine::get().policies.of(device_.id).mask));
    if (value->blob.pBlobData == nullptr) return E_OUTOFMEMORY;
    value->blob.cbSize = sizeof(WAVEFORMATEXTENSIBLE);
    value->vt = VT_BLOB;
  }
  return S_OK;
}

HRESULT EndpointProperties::SetValue(REFPROPERTYKEY, REFPROPVARIANT) { return STG_E_ACCESSDENIED; }

HRESULT EndpointProperties::Commit() { return STG_E_ACCESSDENIED; }

}  // namespace patchcord
