// The interfaces of sessions: their list, and each one's control, volume and meter.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "../../../src/backend/wasapi/meter_information.h"
#include "counted_object.h"
#include "sessions.h"

namespace patchcord {

class SessionControl final
    : public CountedObject<IAudioSessionControl2, ISimpleAudioVolume, IAudioMeterInformation> {
 public:
  explicit SessionControl(SessionPtr session) : session_(std::move(session)) {}

  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID iid, void** object) override;

  HRESULT STDMETHODCALLTYPE GetState(AudioSessionState* state) override;
  HRESULT STDMETHODCALLTYPE GetDisplayName(LPWSTR* name) override;
  HRESULT STDMETHODCALLTYPE SetDisplayName(LPCWSTR name, LPCGUID context) override;
  HRESULT STDMETHODCALLTYPE GetIconPath(LPWSTR* path) override;
  HRESULT STDMETHODCALLTYPE SetIconPath(LPCWSTR path, LPCGUID context) override;
  HRESULT STDMETHODCALLTYPE GetGroupingParam(GUID* group) override;
  HRESULT STDMETHODCALLTYPE SetGroupingParam(LPCGUID group, LPCGUID context) override;
  HRESULT STDMETHODCALLTYPE
  RegisterAudioSessionNotification(IAudioSessionEvents* listener) override;
  HRESULT STDMETHODCALLTYPE
  UnregisterAudioSessionNotification(IAudioSessionEvents* listener) override;
  HRESULT STDMETHODCALLTYPE GetSessionIdentifier(LPWSTR* id) override;
  HRESULT STDMETHODCALLTYPE GetSessionInstanceIdentifier(LPWSTR* id) override;
  HRESULT STDMETHODCALLTYPE GetProcessId(DWORD* pid) override;
  HRESULT STDMETHODCALLTYPE IsSystemSoundsSession() override;
  HRESULT STDMETHODCALLTYPE SetDuckingPreference(BOOL opt_out) override;

  HRESULT STDMETHODCALLTYPE SetMasterVolume(float volume, LPCGUID context) override;
  HRESULT STDMETHODCALLTYPE GetMasterVolume(float* volume) override;
  HRESULT STDMETHODCALLTYPE SetMute(BOOL mute, LPCGUID context) override;
  HRESULT STDMETHODCALLTYPE GetMute(BOOL* mute) override;

  HRESULT STDMETHODCALLTYPE GetPeakValue(float* peak) override;
  HRESULT STDMETHODCALLTYPE GetMeteringChannelCount(UINT* count) override;
  HRESULT STDMETHODCALLTYPE GetChannelsPeakValues(UINT32 count, float* peaks) override;
  HRESULT STDMETHODCALLTYPE QueryHardwareSupport(DWORD* mask) override;

 private:
  HRESULT enter(const char* call) const;

  const SessionPtr session_;
};

class SessionManager final : public CountedObject<IAudioSessionManager2> {
 public:
  explicit SessionManager(std::string output) : output_(std::move(output)) {}

  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID iid, void** object) override;

  HRESULT STDMETHODCALLTYPE GetAudioSessionControl(LPCGUID id, DWORD flags,
                                                   IAudioSessionControl** control) override;
  HRESULT STDMETHODCALLTYPE GetSimpleAudioVolume(LPCGUID id, DWORD flags,
                                                 ISimpleAudioVolume** volume) override;
  HRESULT STDMETHODCALLTYPE GetSessionEnumerator(IAudioSessionEnumerator** sessions) override;
  HRESULT STDMETHODCALLTYPE
  RegisterSessionNotification(IAudioSessionNotification* listener) override;
  HRESULT STDMETHODCALLTYPE
  UnregisterSessionNotification(IAudioSessionNotification* listener) override;
  HRESULT STDMETHODCALLTYPE
  RegisterDuckNotification(LPCWSTR session, IAudioVolumeDuckNotification* listener) override;
  HRESULT STDMETHODCALLTYPE
  UnregisterDuckNotification(IAudioVolumeDuckNotification* listener) override;

 private:
  ~SessionManager() override;
  HRESULT enter(const char* call) const;

  const std::string output_;
  // Callbacks are called only after the sessions have been listed once, and not after the manager
  // is released.
  std::mutex mutex_;
  bool listed_ = false;
  std::vector<IAudioSessionNotification*> waiting_;
  std::vector<IAudioSessionNotification*> told_;
};

}  // namespace patchcord
