#include "endpoint_id.h"

#include <cstdio>

namespace patchcord {
namespace {

// FNV-1a.
uint64_t hash(const std::string& text, uint64_t seed) {
  uint64_t value = 0xcbf29ce484222325u ^ seed;
  for (const char c : text) value = (value ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return value;
}

}  // namespace

std::wstring to_endpoint_id(const DeviceInfo& device) {
  const uint64_t high = hash(device.id, 0);
  const uint64_t low = hash(device.id, high);
  wchar_t text[64];
  std::swprintf(text, 64, L"{0.0.%d.00000000}.{%08x-%04x-%04x-%04x-%012llx}",
                device.flow == Flow::kInput ? 1 : 0, static_cast<unsigned>(high >> 32),
                static_cast<unsigned>(high >> 16 & 0xffff), static_cast<unsigned>(high & 0xffff),
                static_cast<unsigned>(low >> 48),
                static_cast<unsigned long long>(low & 0xffffffffffffu));
  return text;
}

const DeviceInfo* find_endpoint(const std::vector<DeviceInfo>& devices,
                                const wchar_t* endpoint_id) {
  for (const DeviceInfo& device : devices) {
    if (to_endpoint_id(device) == endpoint_id) return &device;
  }
  return nullptr;
}

}  // namespace patchcord
