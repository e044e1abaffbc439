#include "session_objects.h"

#include <algorithm>
#include <cstring>

#include "engine.h"
#include "results.h"

namespace patchcord {
namespace {

HRESULT give_text(const std::wstring& text, LPWSTR* given) {
  const size_t bytes = (text.size() + 1) * sizeof(wchar_t);
  *given = static_cast<LPWSTR>(CoTaskMemAlloc(bytes));
  if (*given == nullptr) return E_OUTOFMEMORY;
  std::memcpy(*given, text.c_str(), bytes);
  return S_OK;
}

// A snapshot.
class SessionList final : public CountedObject<IAudioSessionEnumerator> {
 public:
  SessionList(std::string output, std::vector<SessionPtr> sessions)
      : output_(std::move(output)), sessions_(std::move(sessions)) {}

  HRESULT STDMETHODCALLTYPE GetCount(int* count) override {
    if (count == nullptr) return E_POINTER;
    *count = 0;
    PATCHCORD_SCRIPTED(output_, "IAudioSessionEnumerator::GetCount");
    *count = static_cast<int>(sessions_.size());
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetSession(int index, IAudioSessionControl** control) override {
    if (control == nullptr) return E_POINTER;
    *control = nullptr;
    PATCHCORD_SCRIPTED(output_, "IAudioSessionEnumerator::GetSession");
    if (index < 0 || static_cast<size_t>(index) >= sessions_.size()) return E_INVALIDARG;
    *control = new SessionControl(sessions_[static_cast<size_t>(index)]);
    return S_OK;
  }

 private:
  const std::string output_;
  const std::vector<SessionPtr> sessions_;
};

}  // namespace

HRESULT SessionControl::QueryInterface(REFIID iid, void** object) {
  // The base of IAudioSessionControl2.
  return CountedObject::QueryInterface(
      iid == __uuidof(IAudioSessionControl) ? __uuidof(IAudioSessionControl2) : iid, object);
}

HRESULT SessionControl::enter(const char* call) const {
  PATCHCORD_SCRIPTED(session_->output, call);
  return S_OK;
}

HRESULT SessionControl::GetState(AudioSessionState* state) {
  if (state == nullptr) return E_POINTER;
  *state = Engine::get().sessions.look(session_).state;
  return enter("IAudioSessionControl::GetState");
}

HRESULT SessionControl::GetDisplayName(LPWSTR* name) {
  if (name == nullptr) return E_POINTER;
  *name = nullptr;
  const HRESULT entered = enter("IAudioSessionControl::GetDisplayName");
  return entered == S_OK ? give_text(Engine::get().sessions.look(session_).name, name) : entered;
}

HRESULT SessionControl::SetDisplayName(LPCWSTR name, LPCGUID context) {
  if (name == nullptr) return E_POINTER;
  Engine::get().sessions.set_name(session_, name, guid_of(context));
  return S_OK;
}

HRESULT SessionControl::GetIconPath(LPWSTR* path) {
  return path == nullptr ? E_POINTER : give_text({}, path);
}

HRESULT SessionControl::SetIconPath(LPCWSTR, LPCGUID) { return S_OK; }

HRESULT SessionControl::GetGroupingParam(GUID* group) {
  if (group == nullptr) return E_POINTER;
  *group = {};
  return S_OK;
}

HRESULT SessionControl::SetGroupingParam(LPCGUID, LPCGUID) { return S_OK; }

HRESULT SessionControl::RegisterAudioSessionNotification(IAudioSessionEvents* listener) {
  if (listener == nullptr) return E_POINTER;
  const HRESULT entered = enter("IAudioSessionControl::RegisterAudioSessionNotification");
  if (entered == S_OK) Engine::get().sessions.events.add(session_->key, listener);
  return entered;
}

HRESULT SessionControl::UnregisterAudioSessionNotification(IAudioSessionEvents* listener) {
  if (listener == nullptr) return E_POINTER;
  return Engine::get().sessions.events.remove(session_->key, listener) ? S_OK : E_INVALIDARG;
}

HRESULT SessionControl::GetSessionIdentifier(LPWSTR* id) {
  if (id == nullptr) return E_POINTER;
  return give_text(to_wide(session_->output + "|" + std::to_string(session_->pid)), id);
}

HRESULT SessionControl::GetSessionInstanceIdentifier(LPWSTR* id) {
  return id == nullptr ? E_POINTER : give_text(to_wide(session_->key), id);
}

// A program that takes this result for a failure misses the system sounds.
HRESULT SessionControl::GetProcessId(DWORD* pid) {
  if (pid == nullptr) return E_POINTER;
  *pid = session_->pid;
  const HRESULT entered = enter("IAudioSessionControl2::GetProcessId");
  if (entered != S_OK) return entered;
  return session_->pid == ProcessTaps::kNobody ? kNoSingleProcess : S_OK;
}

HRESULT SessionControl::IsSystemSoundsSession() {
  return session_->pid == ProcessTaps::kNobody ? S_OK : S_FALSE;
}

HRESULT SessionControl::SetDuckingPreference(BOOL) {
  return enter("IAudioSessionControl2::SetDuckingPreference");
}

HRESULT SessionControl::SetMasterVolume(float volume, LPCGUID context) {
  const HRESULT entered = enter("ISimpleAudioVolume::SetMasterVolume");
  if (entered != S_OK) return entered;
  if (!(volume >= 0.0f && volume <= 1.0f)) return E_INVALIDARG;
  Sessions& sessions = Engine::get().sessions;
  const bool muted = sessions.look(session_).muted;
  const Error error = sessions.set_volume(session_, volume, muted, guid_of(context));
  return error ? AUDCLNT_E_DEVICE_INVALIDATED : S_OK;
}

HRESULT SessionControl::GetMasterVolume(float* volume) {
  if (volume == nullptr) return E_POINTER;
  *volume = Engine::get().sessions.look(session_).volume;
  return enter("ISimpleAudioVolume::GetMasterVolume");
}

HRESULT SessionControl::SetMute(BOOL mute, LPCGUID context) {
  const HRESULT entered = enter("ISimpleAudioVolume::SetMute");
  if (entered != S_OK) return entered;
  Sessions& sessions = Engine::get().sessions;
  const float volume = sessions.look(session_).volume;
  const Error error = sessions.set_volume(session_, volume, mute != FALSE, guid_of(context));
  return error ? AUDCLNT_E_DEVICE_INVALIDATED : S_OK;
}

HRESULT SessionControl::GetMute(BOOL* mute) {
  if (mute == nullptr) return E_POINTER;
  *mute = Engine::get().sessions.look(session_).muted;
  return enter("ISimpleAudioVolume::GetMute");
}

HRESULT SessionControl::GetPeakValue(float* peak) {
  if (peak == nullptr) return E_POINTER;
  *peak = Engine::get().sessions.peak(session_);
  return enter("IAudioMeterInformation::GetPeakValue");
}

HRESULT SessionControl::GetMeteringChannelCount(UINT* count) {
  if (count == nullptr) return E_POINTER;
  *count = 1;
  return S_OK;
}

HRESULT SessionControl::GetChannelsPeakValues(UINT32 count, float* peaks) {
  return count == 1 ? GetPeakValue(peaks) : E_INVALIDARG;
}

HRESULT SessionControl::QueryHardwareSupport(DWORD* mask) {
  if (mask == nullptr) return E_POINTER;
  *mask = 0;
  return S_OK;
}

SessionManager::~SessionManager() {
  for (IAudioSessionNotification* listener : told_) {
    Engine::get().sessions.created.remove(output_, listener);
  }
}

HRESULT SessionManager::QueryInterface(REFIID iid, void** object) {
  // The base of IAudioSessionManager2.
  return CountedObject::QueryInterface(
      iid == __uuidof(IAudioSessionManager) ? __uuidof(IAudioSessionManager2) : iid, object);
}

HRESULT SessionManager::enter(const char* call) const {
  PATCHCORD_SCRIPTED(output_, call);
  return S_OK;
}

HRESULT SessionManager::GetAudioSessionControl(LPCGUID group, DWORD,
                                               IAudioSessionControl** control) {
  if (control == nullptr) return E_POINTER;
  *control = nullptr;
  const HRESULT entered = enter("IAudioSessionManager::GetAudioSessionControl");
  if (entered == S_OK)
    *control = new SessionControl(Engine::get().sessions.own(output_, guid_of(group)));
  return entered;
}

HRESULT SessionManager::GetSimpleAudioVolume(LPCGUID group, DWORD, ISimpleAudioVolume** volume) {
  if (volume == nullptr) return E_POINTER;
  *volume = nullptr;
  const HRESULT entered = enter("IAudioSessionManager::GetSimpleAudioVolume");
  if (entered == S_OK)
    *volume = new SessionControl(Engine::get().sessions.own(output_, guid_of(group)));
  return entered;
}

HRESULT SessionManager::GetSessionEnumerator(IAudioSessionEnumerator** sessions) {
  if (sessions == nullptr) return E_POINTER;
  *sessions = nullptr;
  const HRESULT entered = enter("IAudioSessionManager2::GetSessionEnumerator");
  if (entered != S_OK) return entered;
  std::lock_guard<std::mutex> lock(mutex_);
  listed_ = true;
  for (IAudioSessionNotification* listener : waiting_) {
    Engine::get().sessions.created.add(output_, listener);
    told_.push_back(listener);
  }
  waiting_.clear();
  *sessions = new SessionList(output_, Engine::get().sessions.of(output_));
  return S_OK;
}

HRESULT SessionManager::RegisterSessionNotification(IAudioSessionNotification* listener) {
  if (listener == nullptr) return E_POINTER;
  const HRESULT entered = enter("IAudioSessionManager2::RegisterSessionNotification");
  if (entered != S_OK) return entered;
  std::lock_guard<std::mutex> lock(mutex_);
  if (listed_) Engine::get().sessions.created.add(output_, listener);
  (listed_ ? told_ : waiting_).push_back(listener);
  return S_OK;
}

HRESULT SessionManager::UnregisterSessionNotification(IAudioSessionNotification* listener) {
  if (listener == nullptr) return E_POINTER;
  bool known = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto* const list : {&waiting_, &told_}) {
      const auto found = std::find(list->begin(), list->end(), listener);
      if (found == list->end()) continue;
      list->erase(found);
      known = true;
    }
  }
  if (!known) return E_INVALIDARG;
  Engine::get().sessions.created.remove(output_, listener);
  return S_OK;
}

// Nobody calls in this world, so that nobody is lowered.
HRESULT SessionManager::RegisterDuckNotification(LPCWSTR, IAudioVolumeDuckNotification* listener) {
  return listener == nullptr ? E_POINTER : S_OK;
}

HRESULT SessionManager::UnregisterDuckNotification(IAudioVolumeDuckNotification* listener) {
  return listener == nullptr ? E_POINTER : S_OK;
}

}  // namespace patchcord
