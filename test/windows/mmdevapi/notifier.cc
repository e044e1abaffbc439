#include "notifier.h"

#include <algorithm>
#include <string>

#include "endpoint_id.h"
#include "engine.h"

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

Notifier::Notifier(std::shared_ptr<World> world, const std::atomic<uint32_t>* service_run)
    : world_(std::move(world)), service_run_(service_run) {
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
  registrations_.push_back({client, service_run_->load()});
}

bool Notifier::remove(IMMNotificationClient* client) {
  std::lock_guard<std::mutex> lock(calling_);
  const auto found = std::find_if(registrations_.begin(), registrations_.end(),
                                  [client](const Registration& r) { return r.client == client; });
  if (found == registrations_.end()) return false;
  registrations_.erase(found);
  return true;
}

Error Notifier::renamed(const std::string& id) {
  std::vector<DeviceInfo> devices;
  if (Error error = world_->devices(&devices)) return error;
  const DeviceInfo* const device = find(devices, id);
  if (device == nullptr) return Error::make(ErrorCode::kDeviceNotFound, "no device " + id, "");
  std::lock_guard<std::mutex> lock(calling_);
  for (IMMNotificationClient* client : listening()) {
    client->OnPropertyValueChanged(to_endpoint_id(*device).c_str(), PKEY_Device_DeviceDesc);
  }
  return Error::none();
}

std::vector<IMMNotificationClient*> Notifier::listening() const {
  std::vector<IMMNotificationClient*> clients;
  for (const Registration& one : registrations_) {
    if (one.service_run == service_run_->load()) clients.push_back(one.client);
  }
  return clients;
}

void Notifier::compare() {
  std::vector<DeviceInfo> now;
  if (world_->devices(&now))
    return;  // the service is stopped; changes are reported when it is back
  disconnect_sessions(now);
  std::lock_guard<std::mutex> lock(calling_);
  const std::vector<IMMNotificationClient*> clients = listening();
  for (const DeviceInfo& device : now) {
    const DeviceInfo* const before = find(known_, device.id);
    const std::wstring id = to_endpoint_id(device);
    for (IMMNotificationClient* client : clients) {
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
    for (IMMNotificationClient* client : clients) client->OnDeviceRemoved(id.c_str());
  }
  for (const Flow flow : {Flow::kOutput, Flow::kInput}) {
    // The sound settings set the multimedia role along with the console's.
    compare_default(now, flow, &DeviceInfo::default_console, {eConsole, eMultimedia}, clients);
    compare_default(now, flow, &DeviceInfo::default_communications, {eCommunications}, clients);
  }
  known_ = std::move(now);
}

// Sessions end with the endpoint that they belong to, and with its format.
void Notifier::disconnect_sessions(const std::vector<DeviceInfo>& now) {
  Sessions& sessions = Engine::get().sessions;
  for (const DeviceInfo& before : known_) {
    if (before.flow != Flow::kOutput || before.state != DeviceState::kActive) continue;
    const DeviceInfo* const after = find(now, before.id);
    if (after == nullptr || after->state != DeviceState::kActive) {
      sessions.disconnect(before.id, DisconnectReasonDeviceRemoval);
    } else if (after->format != before.format) {
      sessions.disconnect(before.id, DisconnectReasonFormatChanged);
    }
  }
}

void Notifier::compare_default(const std::vector<DeviceInfo>& now, Flow flow,
                               bool DeviceInfo::*is_default, const std::vector<ERole>& roles,
                               const std::vector<IMMNotificationClient*>& clients) {
  const std::wstring id = default_id(now, flow, is_default);
  // When the last device goes, no default change is reported.
  if (id.empty() || id == default_id(known_, flow, is_default)) return;
  const EDataFlow data_flow = flow == Flow::kInput ? eCapture : eRender;
  for (const ERole role : roles) {
    for (IMMNotificationClient* client : clients) {
      client->OnDefaultDeviceChanged(data_flow, role, id.c_str());
    }
  }
}

}  // namespace patchcord
