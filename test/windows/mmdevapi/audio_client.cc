#include "audio_client.h"

#include "engine.h"
#include "results.h"

namespace patchcord {

HRESULT AudioClient::failure() const {
  if (packets_ != nullptr) return packets_->failure();
  if (playing_ != nullptr) return playing_->failure();
  return S_OK;
}

HRESULT AudioClient::enter(const char* call) const {
  PATCHCORD_SCRIPTED(endpoint_, call);
  return failure();
}

HRESULT AudioClient::enter_initialized(const char* call) const {
  const HRESULT entered = enter(call);
  if (entered != S_OK) return entered;
  return initialized_ ? S_OK : AUDCLNT_E_NOT_INITIALIZED;
}

HRESULT AudioClient::finish_open(const Error& error) {
  if (!error) return S_OK;
  packets_ = nullptr;
  playing_ = nullptr;
  return to_result(error);
}

HRESULT AudioClient::Initialize(AUDCLNT_SHAREMODE mode, DWORD flags, REFERENCE_TIME duration,
                                REFERENCE_TIME periodicity, const WAVEFORMATEX* wave, LPCGUID) {
  std::lock_guard<std::mutex> lock(mutex_);
  const HRESULT entered = enter("IAudioClient::Initialize");
  if (entered != S_OK) return entered;
  if (wave == nullptr) return E_POINTER;
  if (initialized_) return AUDCLNT_E_ALREADY_INITIALIZED;
  if (mode != AUDCLNT_SHAREMODE_SHARED) return AUDCLNT_E_EXCLUSIVE_MODE_NOT_ALLOWED;
  if (periodicity != 0 || duration < 0) return E_INVALIDARG;
  const HRESULT opened = open({flags, duration, wave});
  flags_ = flags;
  initialized_ = SUCCEEDED(opened);
  return opened;
}

HRESULT AudioClient::GetBufferSize(UINT32* frames) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (frames == nullptr) return E_POINTER;
  const HRESULT entered = enter_initialized("IAudioClient::GetBufferSize");
  if (entered != S_OK) return entered;
  *frames = buffer_frames_;
  return S_OK;
}

HRESULT AudioClient::Start() {
  std::lock_guard<std::mutex> lock(mutex_);
  const HRESULT entered = enter_initialized("IAudioClient::Start");
  if (entered != S_OK) return entered;
  if (running_) return AUDCLNT_E_NOT_STOPPED;
  if ((flags_ & AUDCLNT_STREAMFLAGS_EVENTCALLBACK) != 0 && event_ == nullptr) {
    return AUDCLNT_E_EVENTHANDLE_NOT_SET;
  }
  const HRESULT started = to_result(stream_->start());
  running_ = SUCCEEDED(started);
  return started;
}

HRESULT AudioClient::Stop() {
  std::lock_guard<std::mutex> lock(mutex_);
  const HRESULT entered = enter_initialized("IAudioClient::Stop");
  if (entered != S_OK) return entered;
  if (!running_) return S_FALSE;
  stream_->stop();
  running_ = false;
  return S_OK;
}

HRESULT AudioClient::Reset() {
  std::lock_guard<std::mutex> lock(mutex_);
  const HRESULT entered = enter_initialized("IAudioClient::Reset");
  if (entered != S_OK) return entered;
  if (running_) return AUDCLNT_E_NOT_STOPPED;
  if (packets_ != nullptr) packets_->clear();
  if (playing_ != nullptr) playing_->clear();
  return S_OK;
}

HRESULT AudioClient::SetEventHandle(HANDLE event) {
  std::lock_guard<std::mutex> lock(mutex_);
  const HRESULT entered = enter_initialized("IAudioClient::SetEventHandle");
  if (entered != S_OK) return entered;
  if (event == nullptr) return E_INVALIDARG;
  if ((flags_ & AUDCLNT_STREAMFLAGS_EVENTCALLBACK) == 0) return AUDCLNT_E_EVENTHANDLE_NOT_EXPECTED;
  event_ = event;
  if (packets_ != nullptr) packets_->signal_packets(event);
  if (playing_ != nullptr) playing_->signal_periods(event);
  return S_OK;
}

HRESULT AudioClient::GetService(REFIID iid, void** service) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (service == nullptr) return E_POINTER;
  *service = nullptr;
  const HRESULT entered = enter_initialized("IAudioClient::GetService");
  return entered == S_OK ? make_service(iid, service) : entered;
}

}  // namespace patchcord
