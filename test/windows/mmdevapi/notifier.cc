#include "notifier.h"

#include <algorithm>
#include <string>

#include "endpoint_id.h"

namespace patchcord {
namespace {

const DeviceInfo* find(const std::vector<DeviceInfo>& devices, const std::string& id) {
  for (const DeviceInfo& device : devices) {
    if (device.id == id) return &device;
  }
  return nullptr;
}

std::wstring default_id(const std::vector<DeviceInfo>& devices, Flow flow,
                        bool DeviceInfo::*is_default) {
  for (const DeviceInfo& device : devices) {
    if (device.flow == flow && device.*is_default) return to_endpoint_id(device);
  }
  return {};
}

}  // namespace

Notifier::Notifier(std::shared_ptr<World> world) : world_(std::move(world)) {
  world_->devices(&known_);
  task_ = world_->clock().start("mmdevapi-notify", Priority::kNormal, [this](int64_t) {
    compare();
    return kNever;
  });
  world_->add_observer(this);
}

Notifier::~Notifier() { world_->remove_observer(this); }

void Notifier::add(IMMNotificationClient* client) {
  std::lock_guard<std::mutex> lock(calling_);
  clients_.push_back(client);
}

bool Notifier::remove(IMMNotificationClient* client) {
  std::lock_guard<std::mutex> lock(calling_);
  const auto found = std::find(clients_.begin(), clients_.end(), client);
  if (found == clients_.end()) return false;
  clients_.erase(found);
  return true;
}

void Notifier::compare() {
  std::vector<DeviceInfo> now;
  if (world_->devices(&now))
    return;  // the service is stopped; what changed is told when it is back
  std::lock_guard<std::mutex> lock(calling_);
  for (const DeviceInfo& device : now) {
    const DeviceInfo* const before = find(known_, device.id);
    const std::wstring id = to_endpoint_id(device);
    for (IMMNotificationClient* client : clients_) {
      if (before == nullptr) client->OnDeviceAdded(id.c_str());
      if (before == nullptr || before->state != device.state) {
        client->OnDeviceStateChanged(id.c_str(), to_state_bit(device.state));
      }
      if (before != nullptr && before->format != device.format) {
        client->OnPropertyValueChanged(id.c_str(), PKEY_AudioEngine_DeviceFormat);
      }
    }
  }
  for (const DeviceInfo& device : known_) {
    if (find(now, device.id) != nullptr) continue;
    const std::wstring id = to_endpoint_id(device);
    for (IMMNotificationClient* client : clients_) client->OnDeviceRemoved(id.c_str());
  }
  for (const Flow flow : {Flow::kOutput, Flow::kInput}) {
    // The sound settings set the multimedia role along with the console's.
    compare_default(now, flow, &DeviceInfo::default_console, {eConsole, eMultimedia});
    compare_default(now, flow, &DeviceInfo::default_communications, {eCommunications});
  }
  known_ = std::move(now);
}

void Notifier::compare_default(const std::vector<DeviceInfo>& now, Flow flow,
                               bool DeviceInfo::*is_default, const std::vector<ERole>& roles) {
  const std::wstring id = default_id(now, flow, is_default);
  if (id == default_id(known_, flow, is_default)) return;
  const EDataFlow data_flow = flow == Flow::kInput ? eCapture : eRender;
  for (const ERole role : roles) {
    for (IMMNotificationClient* client : clients_) {
      // Null: the last device went.
      client->OnDefaultDeviceChanged(data_flow, role, id.empty() ? nullptr : id.c_str());
    }
  }
}

}  // namespace patchcord
