#include "wasapi_sessions.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "com_object.h"
#include "handle.h"
#include "meter_information.h"

namespace patchcord {
namespace {

// The name that the program gives; most give none, some name a resource ("@%SystemRoot%...").
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
  // For a session of several processes Windows returns a special success code, and the first of
  // them.
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

}  // namespace

// Called on a thread of the system that must not block: only raises an event; another thread reads
// the sessions.
class SessionReader::Announcements final : public ComObject<IAudioSessionNotification> {
 public:
  HANDLE created() const { return created_.get(); }

  HRESULT STDMETHODCALLTYPE OnSessionCreated(IAudioSessionControl*) override {
    SetEvent(created_.get());
    return S_OK;
  }

 private:
  const Handle created_{make_pulse()};
};

SessionReader::SessionReader() : announcements_(new Announcements) {}

SessionReader::~SessionReader() {
  while (!endpoints_.empty()) forget(endpoints_.size() - 1);
}

HANDLE SessionReader::created() const { return announcements_->created(); }

Error SessionReader::read(IMMDeviceEnumerator* enumerator, Flow flow,
                          std::vector<SessionInfo>* sessions) {
  ComPtr<IMMDeviceCollection> devices;
  HRESULT result = enumerator->EnumAudioEndpoints(flow == Flow::kOutput ? eRender : eCapture,
                                                  DEVICE_STATE_ACTIVE, devices.receive());
  UINT count = 0;
  if (SUCCEEDED(result)) result = devices->GetCount(&count);
  if (FAILED(result)) {
    return to_error({result, "IMMDeviceEnumerator::EnumAudioEndpoints"}, "listing programs");
  }
  std::vector<std::string> active;
  for (UINT i = 0; i < count; ++i) {
    ComPtr<IMMDevice> device;
    LPWSTR raw = nullptr;
    if (FAILED(devices->Item(i, device.receive())) || FAILED(device->GetId(&raw))) continue;
    const CoMem<wchar_t> id(raw);
    active.push_back(to_utf8(id.get()));
    reach(device.get(), flow, active.back());
  }
  for (size_t i = endpoints_.size(); i-- > 0;) {
    const Endpoint& endpoint = *endpoints_[i];
    if (endpoint.flow != flow) continue;
    const bool is_active = std::find(active.begin(), active.end(), endpoint.id) != active.end();
    // If reading fails, the device is opened again for the next reading: it has just gone, or the
    // service stopped.
    if (!is_active || !read_endpoint(endpoint, sessions)) forget(i);
  }
  return Error::none();
}

// A device whose sessions are not announced is not read. That is the case in Wine (10), which
// lists only the sessions of this process, and creates each again at every reading, so that
// readings double them.
void SessionReader::reach(IMMDevice* device, Flow flow, const std::string& id) {
  if (std::any_of(endpoints_.begin(), endpoints_.end(),
                  [&](const auto& one) { return one->id == id; })) {
    return;
  }
  std::unique_ptr<Endpoint> endpoint(new Endpoint{flow, id, {}});
  if (FAILED(device->Activate(__uuidof(IAudioSessionManager2), CLSCTX_ALL, nullptr,
                              endpoint->manager.receive())) ||
      FAILED(endpoint->manager->RegisterSessionNotification(announcements_.get()))) {
    return;
  }
  endpoints_.push_back(std::move(endpoint));
}

// Announcements begin with the first list, as documented.
bool SessionReader::read_endpoint(const Endpoint& endpoint, std::vector<SessionInfo>* sessions) {
  ComPtr<IAudioSessionEnumerator> all;
  int count = 0;
  if (FAILED(endpoint.manager->GetSessionEnumerator(all.receive())) ||
      FAILED(all->GetCount(&count))) {
    return false;
  }
  for (int i = 0; i < count; ++i) {
    ComPtr<IAudioSessionControl> control;
    SessionInfo info;
    if (FAILED(all->GetSession(i, control.receive())) || !read_session(control.get(), &info)) {
      continue;
    }
    info.flow = endpoint.flow;
    info.device_id = endpoint.id;
    sessions->push_back(std::move(info));
  }
  return true;
}

void SessionReader::forget(size_t endpoint) {
  const auto gone = endpoints_.begin() + static_cast<std::ptrdiff_t>(endpoint);
  (*gone)->manager->UnregisterSessionNotification(announcements_.get());
  endpoints_.erase(gone);
}

bool SessionInfo::operator==(const SessionInfo& other) const {
  return pid == other.pid && device_id == other.device_id && display_name == other.display_name &&
         active == other.active && muted == other.muted && volume == other.volume;
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
    // NaN if there is no meter; of several sessions the loudest counts.
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
  outputs_wanted_ = true;
  followers_.push_back(follower);
}

void SessionBoard::remove(Follower* follower) {
  std::lock_guard<std::mutex> lock(mutex_);
  followers_.erase(std::remove(followers_.begin(), followers_.end(), follower), followers_.end());
}

}  // namespace patchcord
