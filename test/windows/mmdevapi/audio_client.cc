#include "audio_client.h"

#include <cstddef>

#include "engine.h"
#include "results.h"
#include "wave_format.h"

namespace patchcord {
namespace {

// AUTOCONVERTPCM, SRC_DEFAULT_QUALITY, the streams' and the sessions' flags.
constexpr DWORD kKnownFlags = 0x88000000 | 0x000F0000 | 0x00100000 | 0x70000000;

// Windows 8 had the structure without its last member.
constexpr UINT32 kOldPropertiesSize = offsetof(AudioClientProperties, Options);

}  // namespace

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

// Each of the three is the base of the next, so that one pointer serves for all.
HRESULT AudioClient::QueryInterface(REFIID iid, void** object) {
  if (object == nullptr) return E_POINTER;
  const bool later = iid == __uuidof(IAudioClient2) || iid == __uuidof(IAudioClient3);
  if (iid != __uuidof(IAudioClient) && !later) return CountedObject::QueryInterface(iid, object);
  *object = nullptr;
  if (later && generation_ == Generation::kFirst) return E_NOINTERFACE;
  *object = static_cast<IAudioClient3*>(this);
  AddRef();
  return S_OK;
}

HRESULT AudioClient::initialize(const Request& request) {
  if (request.wave == nullptr) return E_POINTER;
  if (initialized_ || spoilt_) return AUDCLNT_E_ALREADY_INITIALIZED;
  const bool exclusive = request.mode == AUDCLNT_SHAREMODE_EXCLUSIVE;
  if (!exclusive && request.mode != AUDCLNT_SHAREMODE_SHARED) return E_INVALIDARG;
  if ((request.flags & ~kKnownFlags) != 0) return AUDCLNT_E_INVALID_STREAM_FLAG;
  if (request.duration < 0) return E_INVALIDARG;
  const HRESULT opened = open(request);
  flags_ = request.flags;
  session_ = request.session;
  exclusive_ = exclusive;
  initialized_ = SUCCEEDED(opened);
  // After a refusal for more than an argument, the program needs another client.
  spoilt_ = FAILED(opened) && opened != E_INVALIDARG;
  return opened;
}

HRESULT AudioClient::Initialize(AUDCLNT_SHAREMODE mode, DWORD flags, REFERENCE_TIME duration,
                                REFERENCE_TIME periodicity, const WAVEFORMATEX* wave,
                                LPCGUID session) {
  std::lock_guard<std::mutex> lock(mutex_);
  const HRESULT entered = enter("IAudioClient::Initialize");
  if (entered != S_OK) return entered;
  return initialize({mode, flags, duration, periodicity, wave, guid_of(session)});
}

HRESULT AudioClient::GetBufferSize(UINT32* frames) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (frames == nullptr) return E_POINTER;
  const HRESULT entered = enter("IAudioClient::GetBufferSize");
  if (entered != S_OK) return entered;
  if (!initialized_ && suggested_frames_ > 0) {
    *frames = suggested_frames_;
    return S_OK;
  }
  if (!initialized_) return AUDCLNT_E_NOT_INITIALIZED;
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
  if (!running_) return started;
  ticks_ = nullptr;
  if (playing_ != nullptr) playing_->set_running(true);
  on_running(true);
  return started;
}

// The audio engine signals the event of a stopped stream, too, until the client is released.
void AudioClient::tick_on() {
  if (event_ == nullptr) return;
  const EnginePeriod period = engine_period();
  const int64_t ns = period.current == 0
                         ? 10 * kNsPerMs
                         : period.current * kNsPerSecond / period.format.sample_rate;
  ticks_ = Engine::get().world->clock().start("mmdevapi-ticks", Priority::kNormal,
                                              [event = event_, ns](int64_t now) {
                                                SetEvent(event);
                                                return now + ns;
                                              });
}

HRESULT AudioClient::Stop() {
  std::lock_guard<std::mutex> lock(mutex_);
  const HRESULT entered = enter_initialized("IAudioClient::Stop");
  if (entered != S_OK) return entered;
  if (!running_) return S_FALSE;
  stream_->stop();
  running_ = false;
  if (playing_ != nullptr) playing_->set_running(false);
  tick_on();
  on_running(false);
  return S_OK;
}

HRESULT AudioClient::Reset() {
  std::lock_guard<std::mutex> lock(mutex_);
  const HRESULT entered = enter_initialized("IAudioClient::Reset");
  if (entered != S_OK) return entered;
  if (running_) return AUDCLNT_E_NOT_STOPPED;
  if (buffer_held) return AUDCLNT_E_BUFFER_OPERATION_PENDING;
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
  if (event_ != nullptr) return kInvalidName;
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

// The simulated hardware mixes nothing by itself.
HRESULT AudioClient::IsOffloadCapable(AUDIO_STREAM_CATEGORY, BOOL* capable) {
  if (capable == nullptr) return E_POINTER;
  *capable = FALSE;
  return enter("IAudioClient2::IsOffloadCapable");
}

HRESULT AudioClient::SetClientProperties(const AudioClientProperties* properties) {
  std::lock_guard<std::mutex> lock(mutex_);
  const HRESULT entered = enter("IAudioClient2::SetClientProperties");
  if (entered != S_OK) return entered;
  if (properties == nullptr) return E_POINTER;
  if (initialized_) return AUDCLNT_E_ALREADY_INITIALIZED;
  const bool whole = properties->cbSize == sizeof(*properties);
  if (!whole && properties->cbSize != kOldPropertiesSize) return E_INVALIDARG;
  if (properties->bIsOffload) return kOffloadNotCapable;
  const bool raw = whole && (properties->Options & AUDCLNT_STREAMOPTIONS_RAW) != 0;
  if (raw && !Engine::get().policies.of(endpoint_).raw) return kRawModeUnsupported;
  category_ = properties->eCategory;
  raw_ = raw;
  return S_OK;
}

HRESULT AudioClient::GetBufferSizeLimits(const WAVEFORMATEX*, BOOL, REFERENCE_TIME*,
                                         REFERENCE_TIME*) {
  const HRESULT entered = enter("IAudioClient2::GetBufferSizeLimits");
  return entered != S_OK ? entered : kOffloadModeOnly;
}

// All clients of a device share its period: a request for another one finds it locked, as after an
// earlier client's.
HRESULT AudioClient::GetSharedModeEnginePeriod(const WAVEFORMATEX* wave, UINT32* standard,
                                               UINT32* fundamental, UINT32* shortest,
                                               UINT32* longest) {
  const HRESULT entered = enter("IAudioClient3::GetSharedModeEnginePeriod");
  if (entered != S_OK) return entered;
  if (wave == nullptr || standard == nullptr || fundamental == nullptr || shortest == nullptr ||
      longest == nullptr) {
    return E_POINTER;
  }
  const EnginePeriod period = engine_period();
  if (!describes(wave, period.format)) return AUDCLNT_E_UNSUPPORTED_FORMAT;
  *standard = *longest = period.standard;
  *shortest = period.current;
  *fundamental = 1;
  return S_OK;
}

HRESULT AudioClient::GetCurrentSharedModeEnginePeriod(WAVEFORMATEX** wave, UINT32* frames) {
  if (wave == nullptr || frames == nullptr) return E_POINTER;
  *wave = nullptr;
  const HRESULT entered = enter("IAudioClient3::GetCurrentSharedModeEnginePeriod");
  if (entered != S_OK) return entered;
  const EnginePeriod period = engine_period();
  *frames = period.current;
  *wave = allocate_wave_format(period.format);
  return *wave != nullptr ? S_OK : E_OUTOFMEMORY;
}

HRESULT AudioClient::InitializeSharedAudioStream(DWORD flags, UINT32 frames,
                                                 const WAVEFORMATEX* wave, LPCGUID session) {
  std::lock_guard<std::mutex> lock(mutex_);
  const HRESULT entered = enter("IAudioClient3::InitializeSharedAudioStream");
  if (entered != S_OK) return entered;
  // Neither loopback nor a conversion.
  if ((flags & ~AUDCLNT_STREAMFLAGS_EVENTCALLBACK) != 0) return AUDCLNT_E_INVALID_STREAM_FLAG;
  const EnginePeriod period = engine_period();
  if (frames < period.current || frames > period.standard) return AUDCLNT_E_INVALID_DEVICE_PERIOD;
  if (frames != period.current) return kEnginePeriodicityLocked;
  return initialize({AUDCLNT_SHAREMODE_SHARED, flags, 0, 0, wave, guid_of(session)});
}

}  // namespace patchcord
