#include "device_origin.h"

#include <cstring>
#include <string>
#include <vector>

#include "endpoint_property.h"

namespace patchcord {
namespace {

// Two property keys of endpoints that the headers do not name. The first holds the instance path of
// the device that the endpoint is a jack of, "{1}.ROOT\\MEDIA\\0000"; the second is
// DEVPKEY_Device_MatchingDeviceId, the hardware id by which Windows chose the driver.
const PROPERTYKEY kAdapterPath = {
    {0xb3f8fa53, 0x0004, 0x438e, {0x90, 0x03, 0x51, 0xa4, 0x6e, 0x13, 0x9b, 0xfc}}, 2};
const PROPERTYKEY kMatchingDeviceId = {
    {0xa8b865dd, 0x2e3d, 0x4094, {0xad, 0x97, 0xe5, 0x93, 0xa7, 0x0c, 0x75, 0xd6}}, 8};

// Plug and Play's entry for a device, which every user may read: a REG_SZ or a REG_MULTI_SZ.
std::vector<std::string> read_registered(const std::string& instance, const wchar_t* name) {
  const std::wstring key = L"SYSTEM\\CurrentControlSet\\Enum\\" + to_wide(instance);
  const DWORD kinds = RRF_RT_REG_SZ | RRF_RT_REG_MULTI_SZ;
  wchar_t text[1024] = {};
  DWORD bytes = sizeof(text) - 2 * sizeof(wchar_t);  // room for the empty text that ends a list
  std::vector<std::string> values;
  if (RegGetValueW(HKEY_LOCAL_MACHINE, key.c_str(), name, kinds, nullptr, text, &bytes) !=
      ERROR_SUCCESS) {
    return values;
  }
  for (const wchar_t* at = text; *at != L'\0'; at += std::wcslen(at) + 1) {
    values.push_back(to_utf8(at));
  }
  return values;
}

// The Plug and Play enumerator that found a device says how it is connected. Bluetooth has two: one
// for a headset's music, and one for its hands-free profile.
const struct {
  const char* enumerator;
  const char* transport;
} kEnumerators[] = {
    {"USB\\", "usb"},           {"HDAUDIO\\", "builtin"},     {"INTELAUDIO\\", "builtin"},
    {"PCI\\", "builtin"},       {"ACPI\\", "builtin"},        {"SOUNDWIRE\\", "builtin"},
    {"BTHENUM\\", "bluetooth"}, {"BTHHFENUM\\", "bluetooth"}, {"BTHLEENUM\\", "bluetooth"},
    {"ROOT\\", "virtual"},
};
constexpr char kHandsFree[] = "BTHHFENUM\\";

bool begins_with(const std::string& text, const char* start) {
  return _strnicmp(text.c_str(), start, std::strlen(start)) == 0;
}

std::string transport_of(IPropertyStore* store, const std::string& parent) {
  uint32_t form = UnknownFormFactor;
  EndpointProperty(store, PKEY_AudioEndpoint_FormFactor).number(&form);
  if (form == DigitalAudioDisplayDevice) return "hdmi";
  if (form == RemoteNetworkDevice) return "network";
  for (const auto& known : kEnumerators) {
    if (begins_with(parent, known.enumerator)) return known.transport;
  }
  return {};
}

std::string without_brace(const std::string& path) {
  const size_t end = path.find("}.");
  return end == std::string::npos ? path : path.substr(end + 2);
}

}  // namespace

DeviceOrigin read_origin(IPropertyStore* store) {
  DeviceOrigin origin;
  origin.maker = EndpointProperty(store, PKEY_DeviceInterface_FriendlyName).text();
  origin.parent = without_brace(EndpointProperty(store, kAdapterPath).text());
  origin.transport = transport_of(store, origin.parent);
  origin.hands_free = begins_with(origin.parent, kHandsFree);
  if (!origin.parent.empty()) {
    origin.hardware_ids = read_registered(origin.parent, L"HardwareID");
    const std::vector<std::string> service = read_registered(origin.parent, L"Service");
    if (!service.empty()) origin.service = service[0];
  }
  if (origin.hardware_ids.empty()) {
    const std::string id = EndpointProperty(store, kMatchingDeviceId).text();
    if (!id.empty()) origin.hardware_ids.push_back(id);
  }
  return origin;
}

}  // namespace patchcord
