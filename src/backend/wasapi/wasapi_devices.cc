// This file defines the property keys of the headers; all others only declare them.
#define INITGUID

#include "wasapi_devices.h"

#include "../known_cables.h"
#include "device_origin.h"
#include "endpoint_property.h"
#include "formats.h"

namespace patchcord {
namespace {

std::string id_of(IMMDevice* device) {
  LPWSTR raw = nullptr;
  if (device == nullptr || FAILED(device->GetId(&raw))) return {};
  const CoMem<wchar_t> id(raw);
  return to_utf8(id.get());
}

bool flow_of(IMMDevice* device, Flow* flow) {
  ComPtr<IMMEndpoint> endpoint;
  EDataFlow data_flow = eRender;
  if (FAILED(device->QueryInterface(__uuidof(IMMEndpoint), endpoint.receive()))) return false;
  if (FAILED(endpoint->GetDataFlow(&data_flow))) return false;
  *flow = data_flow == eCapture ? Flow::kInput : Flow::kOutput;
  return true;
}

DeviceState state_of(DWORD state) {
  switch (state) {
    case DEVICE_STATE_ACTIVE:
      return DeviceState::kActive;
    case DEVICE_STATE_DISABLED:
      return DeviceState::kDisabled;
    case DEVICE_STATE_UNPLUGGED:
      return DeviceState::kUnplugged;
    default:
      return DeviceState::kNotPresent;
  }
}

const char* describe(DWORD state) {
  switch (state_of(state)) {
    case DeviceState::kActive:
      return "active";
    case DeviceState::kDisabled:
      return "disabled";
    case DeviceState::kUnplugged:
      return "unplugged";
    case DeviceState::kNotPresent:
      return "not present";
  }
  return "not present";
}

// Reading the property costs nothing; querying the audio client makes the system open the device.
void read_format(IMMDevice* device, IPropertyStore* store, Format* format) {
  if (EndpointProperty(store, PKEY_AudioEngine_DeviceFormat).wave_format(format)) return;
  ComPtr<IAudioClient> client;
  if (FAILED(device->Activate(__uuidof(IAudioClient), CLSCTX_ALL, nullptr, client.receive()))) {
    return;
  }
  WAVEFORMATEX* raw = nullptr;
  if (FAILED(client->GetMixFormat(&raw))) return;
  const CoMem<WAVEFORMATEX> wave(raw);
  from_wave_format(wave.get(), sizeof(*raw) + raw->cbSize, format);
}

// Returns false for an endpoint that vanished while it was being read.
bool read_device(IMMDevice* device, DeviceInfo* info) {
  info->id = id_of(device);
  DWORD state = DEVICE_STATE_NOTPRESENT;
  if (info->id.empty() || !flow_of(device, &info->flow) || FAILED(device->GetState(&state))) {
    return false;
  }
  info->state = state_of(state);
  ComPtr<IPropertyStore> store;
  // some endpoints that are not present have none
  device->OpenPropertyStore(STGM_READ, store.receive());
  info->name = EndpointProperty(store.get(), PKEY_Device_FriendlyName).text();
  if (info->name.empty()) info->name = info->id;
  if (info->state == DeviceState::kActive) read_format(device, store.get(), &info->format);
  info->origin = read_origin(store.get());
  info->driver = info->origin.maker;
  return true;
}

void mark_default(IMMDeviceEnumerator* enumerator, Flow flow, ERole role,
                  bool DeviceInfo::*is_default, std::vector<DeviceInfo>* devices) {
  ComPtr<IMMDevice> device;
  const EDataFlow data_flow = flow == Flow::kInput ? eCapture : eRender;
  if (FAILED(enumerator->GetDefaultAudioEndpoint(data_flow, role, device.receive()))) return;
  const std::string id = id_of(device.get());
  for (DeviceInfo& info : *devices) {
    if (info.id == id) info.*is_default = true;
  }
}

}  // namespace

CallResult create_enumerator(ComPtr<IMMDeviceEnumerator>* enumerator) {
  return {CoCreateInstance(__uuidof(MMDeviceEnumerator), nullptr, CLSCTX_ALL,
                           __uuidof(IMMDeviceEnumerator), enumerator->receive()),
          "CoCreateInstance(MMDeviceEnumerator)"};
}

Error read_devices(IMMDeviceEnumerator* enumerator, std::vector<DeviceInfo>* devices) {
  devices->clear();
  ComPtr<IMMDeviceCollection> collection;
  HRESULT result = enumerator->EnumAudioEndpoints(eAll, DEVICE_STATEMASK_ALL, collection.receive());
  UINT count = 0;
  if (SUCCEEDED(result)) result = collection->GetCount(&count);
  if (FAILED(result)) {
    return to_error({result, "IMMDeviceEnumerator::EnumAudioEndpoints"}, "listing the devices");
  }
  for (UINT i = 0; i < count; ++i) {
    ComPtr<IMMDevice> device;
    DeviceInfo info;
    if (SUCCEEDED(collection->Item(i, device.receive())) && read_device(device.get(), &info)) {
      devices->push_back(info);
    }
  }
  for (const Flow flow : {Flow::kInput, Flow::kOutput}) {
    mark_default(enumerator, flow, eConsole, &DeviceInfo::default_console, devices);
    mark_default(enumerator, flow, eCommunications, &DeviceInfo::default_communications, devices);
  }
  recognise_cables(devices);
  return Error::none();
}

CallResult summarise_endpoints(IMMDeviceEnumerator* enumerator, std::string* summary) {
  summary->clear();
  ComPtr<IMMDeviceCollection> collection;
  HRESULT result = enumerator->EnumAudioEndpoints(eAll, DEVICE_STATEMASK_ALL, collection.receive());
  UINT count = 0;
  if (SUCCEEDED(result)) result = collection->GetCount(&count);
  if (FAILED(result)) return {result, "IMMDeviceEnumerator::EnumAudioEndpoints"};
  for (UINT i = 0; i < count; ++i) {
    ComPtr<IMMDevice> device;
    DWORD state = 0;
    if (FAILED(collection->Item(i, device.receive())) || FAILED(device->GetState(&state))) continue;
    *summary += id_of(device.get()) + " " + std::to_string(state) + "\n";
  }
  for (const EDataFlow flow : {eRender, eCapture}) {
    for (const ERole role : {eConsole, eCommunications}) {
      ComPtr<IMMDevice> device;
      enumerator->GetDefaultAudioEndpoint(flow, role, device.receive());
      *summary += id_of(device.get()) + "\n";
    }
  }
  return {};
}

Error find_device(IMMDeviceEnumerator* enumerator, const std::string& id, Flow flow,
                  ComPtr<IMMDevice>* device) {
  const std::string attempt =
      std::string("opening the ") + (flow == Flow::kInput ? "input" : "output") + " device";
  HRESULT result = enumerator->GetDevice(to_wide(id).c_str(), device->receive());
  // The id does not even have the right form.
  if (result == E_INVALIDARG) result = HRESULT_FROM_WIN32(ERROR_NOT_FOUND);
  if (FAILED(result)) return to_error({result, "IMMDeviceEnumerator::GetDevice"}, attempt, id);

  Flow actual = flow;
  if (!flow_of(device->get(), &actual) || actual != flow) {
    return to_error({AUDCLNT_E_WRONG_ENDPOINT_TYPE, "IMMEndpoint::GetDataFlow"}, attempt, id);
  }
  DWORD state = DEVICE_STATE_NOTPRESENT;
  result = (*device)->GetState(&state);
  if (FAILED(result)) return to_error({result, "IMMDevice::GetState"}, attempt, id);
  if (state != DEVICE_STATE_ACTIVE) {
    Error error =
        Error::make(ErrorCode::kDeviceNotFound, attempt + " failed: it is " + describe(state),
                    "plug it in or enable it in the sound settings");
    error.syscall = "IMMDevice::GetState";
    error.device_id = id;
    return error;
  }
  return Error::none();
}

bool read_device_format(IMMDevice* device, WAVEFORMATEXTENSIBLE* wave, Format* format) {
  ComPtr<IPropertyStore> store;
  device->OpenPropertyStore(STGM_READ, store.receive());
  return EndpointProperty(store.get(), PKEY_AudioEngine_DeviceFormat).wave_format(format, wave);
}

}  // namespace patchcord
