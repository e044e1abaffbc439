#include "wasapi_sessions.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "meter_information.h"

namespace patchcord {
namespace {

// As the program says; most say nothing, some name a resource of theirs ("@%SystemRoot%...").
std::string display_name(IAudioSessionControl* control) {
  LPWSTR raw = nullptr;
  if (FAILED(control->GetDisplayName(&raw)) || raw == nullptr) return {};
  const CoMem<wchar_t> name(raw);
  return name.get()[0] == L'@' ? std::string() : to_utf8(name.get());
}

bool read_session(IAudioSessionControl* control, SessionInfo* info) {
  AudioSessionState state = AudioSessionStateExpired;
  if (FAILED(control->GetState(&state)) || state == AudioSessionStateExpired) return false;
  info->active = state == AudioSessionStateActive;
  ComPtr<IAudioSessionControl2> control2;
  if (FAILED(control->QueryInterface(__uuidof(IAudioSessionControl2), control2.receive()))) {
    return false;
  }
  if (control2->IsSystemSoundsSession() == S_OK) return false;
  // A session of several processes answers with a success of its own, and the first of them.
  DWORD pid = 0;
  if (FAILED(control2->GetProcessId(&pid)) || pid == 0) return false;
  info->pid = pid;
  info->display_name = display_name(control);
  ComPtr<ISimpleAudioVolume> volume;
  if (SUCCEEDED(control->QueryInterface(__uuidof(ISimpleAudioVolume), volume.receive()))) {
    BOOL muted = FALSE;
    volume->GetMasterVolume(&info->volume);
    if (SUCCEEDED(volume->GetMute(&muted))) info->muted = muted != FALSE;
  }
  ComPtr<IAudioMeterInformation> meter;
  float peak = 0;
  if (SUCCEEDED(control->QueryInterface(__uuidof(IAudioMeterInformation), meter.receive())) &&
      SUCCEEDED(meter->GetPeakValue(&peak))) {
    info->level = peak;
  }
  return true;
}

void read_endpoint(IMMDevice* device, std::vector<SessionInfo>* sessions) {
  LPWSTR raw = nullptr;
  if (FAILED(device->GetId(&raw))) return;
  const CoMem<wchar_t> id(raw);
  ComPtr<IAudioSessionManager2> manager;
  ComPtr<IAudioSessionEnumerator> all;
  int count = 0;
  if (FAILED(device->Activate(__uuidof(IAudioSessionManager2), CLSCTX_ALL, nullptr,
                              manager.receive())) ||
      FAILED(manager->GetSessionEnumerator(all.receive())) || FAILED(all->GetCount(&count))) {
    return;  // an endpoint that goes at this moment
  }
  for (int i = 0; i < count; ++i) {
    ComPtr<IAudioSessionControl> control;
    SessionInfo info;
    if (FAILED(all->GetSession(i, control.receive())) || !read_session(control.get(), &info)) {
      continue;
    }
    info.device_id = to_utf8(id.get());
    sessions->push_back(std::move(info));
  }
}

}  // namespace

bool SessionInfo::operator==(const SessionInfo& other) const {
  return pid == other.pid && device_id == other.device_id && display_name == other.display_name &&
         active == other.active && muted == other.muted && volume == other.volume;
}

Error read_sessions(IMMDeviceEnumerator* enumerator, std::vector<SessionInfo>* sessions) {
  ComPtr<IMMDeviceCollection> outputs;
  HRESULT result = enumerator->EnumAudioEndpoints(eRender, DEVICE_STATE_ACTIVE, outputs.receive());
  UINT count = 0;
  if (SUCCEEDED(result)) result = outputs->GetCount(&count);
  if (FAILED(result)) {
    return to_error({result, "IMMDeviceEnumerator::EnumAudioEndpoints"}, "listing programs");
  }
  for (UINT i = 0; i < count; ++i) {
    ComPtr<IMMDevice> device;
    if (SUCCEEDED(outputs->Item(i, device.receive()))) read_endpoint(device.get(), sessions);
  }
  return Error::none();
}

Ancestry process_of(const ProcessTable& table, uint32_t pid) {
  Ancestry ancestry = ancestry_of(table, pid);
  if (!ancestry.empty()) return ancestry;
  ProcessRecord unseen;
  unseen.id.pid = pid;
  unseen.name = "process " + std::to_string(pid);
  return {unseen};
}

std::vector<ProcessInfo> to_processes(const ProcessTable& table,
                                      const std::vector<SessionInfo>& sessions, bool running) {
  const Ancestry own = ancestry_of(table, table.own_pid());
  std::vector<ProcessInfo> processes;
  const auto entry_of = [&](const Ancestry& ancestry) -> ProcessInfo& {
    for (ProcessInfo& known : processes) {
      if (known.id == ancestry.front().id) return known;
    }
    processes.push_back(describe(ancestry, own));
    return processes.back();
  };
  for (const SessionInfo& session : sessions) {
    ProcessInfo& info = entry_of(process_of(table, session.pid));
    const bool first = info.state == ProcessState::kSilent;
    if (!session.display_name.empty()) info.display_name = session.display_name;
    if (session.active) info.state = ProcessState::kActive;
    if (first && !session.active) info.state = ProcessState::kInactive;
    info.volume = first ? session.volume : std::max(info.volume, session.volume);
    info.muted = first ? session.muted : info.muted && session.muted;
    // NaN where there is no meter; of several sessions the loudest.
    info.level = first ? session.level : std::fmax(info.level, session.level);
    auto& devices = info.device_ids;
    if (std::find(devices.begin(), devices.end(), session.device_id) == devices.end()) {
      devices.push_back(session.device_id);
    }
  }
  if (!running) return processes;
  for (const ProcessRecord& record : table.all()) {
    const Ancestry ancestry = ancestry_of(table, record.id.pid);
    if (!ancestry.empty()) entry_of(ancestry);
  }
  return processes;
}

bool SessionBoard::update(const std::vector<SessionInfo>& sessions) {
  std::lock_guard<std::mutex> lock(mutex_);
  const bool same = sessions_ == sessions;
  sessions_ = sessions;
  if (same) return false;
  for (Follower* follower : followers_) follower->on_sessions_changed();
  return true;
}

void SessionBoard::add(Follower* follower) {
  std::lock_guard<std::mutex> lock(mutex_);
  wanted_ = true;
  followers_.push_back(follower);
}

void SessionBoard::remove(Follower* follower) {
  std::lock_guard<std::mutex> lock(mutex_);
  followers_.erase(std::remove(followers_.begin(), followers_.end(), follower), followers_.end());
}

}  // namespace patchcord
