// How Windows names an endpoint, for the world's devices.
#pragma once

#include <string>
#include <vector>

#include "../../../src/backend/backend.h"
#include "../../../src/backend/wasapi/windows_sdk.h"

namespace patchcord {

constexpr DWORD to_state_bit(DeviceState state) {
  switch (state) {
    case DeviceState::kActive:
      return DEVICE_STATE_ACTIVE;
    case DeviceState::kDisabled:
      return DEVICE_STATE_DISABLED;
    case DeviceState::kNotPresent:
      return DEVICE_STATE_NOTPRESENT;
    case DeviceState::kUnplugged:
      return DEVICE_STATE_UNPLUGGED;
  }
  return DEVICE_STATE_NOTPRESENT;
}

// "{0.0.1.00000000}.{8f2c...}": the flow, and a GUID that the same device has in every run.
std::wstring to_endpoint_id(const DeviceInfo& device);

// Null: none of the devices is called so.
const DeviceInfo* find_endpoint(const std::vector<DeviceInfo>& devices, const wchar_t* endpoint_id);

}  // namespace patchcord
