#include "endpoint_client.h"

#include <algorithm>

#include "capture_service.h"
#include "engine.h"
#include "render_services.h"
#include "session_objects.h"
#include "wave_format.h"

namespace patchcord {
namespace {

// The audio engine's, for every device.
constexpr REFERENCE_TIME kPeriod = 10 * kReferencePerMs;

// Of exclusive streams.
constexpr REFERENCE_TIME kShortestPeriod = 3 * kReferencePerMs;
constexpr REFERENCE_TIME kLongestPeriod = 500 * kReferencePerMs;

// What a driver's direct memory access moves at a time, as of Intel's HD Audio: buffers are a whole
// number of them.
constexpr uint32_t kAlignmentBytes = 128;

}  // namespace

AudioClient::EnginePeriod EndpointClient::engine_period() const {
  const uint32_t standard = to_frames(kPeriod, device_.format.sample_rate);
  const uint32_t chosen = Engine::get().policies.of(device_.id).period_frames;
  return {device_.format, standard, chosen == 0 ? standard : chosen};
}

HRESULT EndpointClient::check_exclusive(const Request& request) {
  switch (Engine::get().policies.of(device_.id).exclusive) {
    case Exclusive::kRefused:
      return AUDCLNT_E_EXCLUSIVE_MODE_NOT_ALLOWED;
    case Exclusive::kBusy:
      return AUDCLNT_E_DEVICE_IN_USE;
    case Exclusive::kAllowed:
      break;
  }
  if ((request.flags & AUDCLNT_STREAMFLAGS_LOOPBACK) != 0) return AUDCLNT_E_INVALID_STREAM_FLAG;
  if (!describes(request.wave, device_.format)) return AUDCLNT_E_UNSUPPORTED_FORMAT;
  if (request.periodicity < kShortestPeriod || request.periodicity > kLongestPeriod) {
    return AUDCLNT_E_INVALID_DEVICE_PERIOD;
  }
  if ((request.flags & AUDCLNT_STREAMFLAGS_EVENTCALLBACK) == 0) return S_OK;
  if (request.duration != request.periodicity) return AUDCLNT_E_BUFDURATION_PERIOD_NOT_EQUAL;
  const size_t frame_bytes = bytes_per_frame(device_.format);
  uint32_t frames = to_frames(request.duration, device_.format.sample_rate);
  if (frames * frame_bytes % kAlignmentBytes == 0) return S_OK;
  while (frames * frame_bytes % kAlignmentBytes != 0) ++frames;
  suggest_buffer(frames);
  return AUDCLNT_E_BUFFER_SIZE_NOT_ALIGNED;
}

HRESULT EndpointClient::open(const Request& request) {
  if (request.mode == AUDCLNT_SHAREMODE_EXCLUSIVE) {
    const HRESULT refused = check_exclusive(request);
    if (refused != S_OK) return refused;
  } else if (request.periodicity != 0) {
    return E_INVALIDARG;
  }
  const bool loopback = (request.flags & AUDCLNT_STREAMFLAGS_LOOPBACK) != 0;
  if (loopback && device_.flow == Flow::kInput) return AUDCLNT_E_WRONG_ENDPOINT_TYPE;
  const Format& format = device_.format;
  if (!describes(request.wave, format)) return AUDCLNT_E_UNSUPPORTED_FORMAT;
  // In shared mode the duration is a wish for headroom: never below two periods.
  const uint32_t period = engine_period().current;
  const uint32_t asked = to_frames(request.duration, format.sample_rate);
  const uint32_t buffer =
      request.mode == AUDCLNT_SHAREMODE_EXCLUSIVE ? asked : std::max(asked, 2 * period);
  World& world = *Engine::get().world;
  if (loopback || device_.flow == Flow::kInput) {
    CaptureRequest wanted;
    wanted.kind = loopback ? CaptureRequest::Kind::kLoopback : CaptureRequest::Kind::kMicrophone;
    wanted.device_id = device_.id;
    return open_capture(format, buffer, period,
                        [&](CaptureListener* listener, std::unique_ptr<Stream>* stream) {
                          return world.open_capture(wanted, listener, stream);
                        });
  }
  RenderRequest wanted;
  wanted.device_id = device_.id;
  return open_render(format, buffer,
                     [&](RenderListener* listener, std::unique_ptr<Stream>* stream) {
                       return world.open_render(wanted, listener, stream);
                     });
}

HRESULT EndpointClient::make_service(REFIID iid, void** service) {
  if (iid == __uuidof(IAudioCaptureClient)) {
    if (packets() == nullptr) return AUDCLNT_E_WRONG_ENDPOINT_TYPE;
    return hand_over(new CaptureService(this, CaptureService::Positions::kOfDevice), iid, service);
  }
  if (iid == __uuidof(IAudioRenderClient)) {
    if (playing() == nullptr) return AUDCLNT_E_WRONG_ENDPOINT_TYPE;
    return hand_over(new RenderService(this), iid, service);
  }
  if (iid == __uuidof(IAudioClock) && playing() != nullptr) {
    return hand_over(new ClockService(this), iid, service);
  }
  if ((iid == __uuidof(IAudioSessionControl) || iid == __uuidof(ISimpleAudioVolume)) &&
      playing() != nullptr) {
    return hand_over(new SessionControl(Engine::get().sessions.own(device_.id)), iid, service);
  }
  return E_NOINTERFACE;
}

void EndpointClient::on_running(bool running) {
  if (playing() == nullptr) return;
  Sessions& sessions = Engine::get().sessions;
  sessions.set_active(sessions.own(device_.id), running);
}

HRESULT EndpointClient::GetStreamLatency(REFERENCE_TIME* latency) {
  if (latency == nullptr) return E_POINTER;
  const HRESULT entered = enter_initialized("IAudioClient::GetStreamLatency");
  if (entered == S_OK) *latency = kPeriod;
  return entered;
}

HRESULT EndpointClient::GetCurrentPadding(UINT32* frames) {
  if (frames == nullptr) return E_POINTER;
  const HRESULT entered = enter_initialized("IAudioClient::GetCurrentPadding");
  if (entered == S_OK) *frames = packets() != nullptr ? packets()->frames() : playing()->padding();
  return entered;
}

HRESULT EndpointClient::IsFormatSupported(AUDCLNT_SHAREMODE mode, const WAVEFORMATEX* wave,
                                          WAVEFORMATEX** closest) {
  if (closest != nullptr) *closest = nullptr;
  const HRESULT entered = enter("IAudioClient::IsFormatSupported");
  if (entered != S_OK) return entered;
  if (wave == nullptr) return E_POINTER;
  if (mode == AUDCLNT_SHAREMODE_EXCLUSIVE) {
    const bool allowed = Engine::get().policies.of(device_.id).exclusive != Exclusive::kRefused;
    if (!allowed) return AUDCLNT_E_EXCLUSIVE_MODE_NOT_ALLOWED;
    return describes(wave, device_.format) ? S_OK : AUDCLNT_E_UNSUPPORTED_FORMAT;
  }
  if (closest == nullptr) return E_POINTER;
  if (describes(wave, device_.format)) return S_OK;
  *closest = allocate_wave_format(device_.format);
  return *closest != nullptr ? S_FALSE : E_OUTOFMEMORY;
}

HRESULT EndpointClient::GetMixFormat(WAVEFORMATEX** wave) {
  if (wave == nullptr) return E_POINTER;
  *wave = nullptr;
  const HRESULT entered = enter("IAudioClient::GetMixFormat");
  if (entered != S_OK) return entered;
  *wave = allocate_wave_format(device_.format);
  return *wave != nullptr ? S_OK : E_OUTOFMEMORY;
}

HRESULT EndpointClient::GetDevicePeriod(REFERENCE_TIME* standard, REFERENCE_TIME* minimum) {
  if (standard == nullptr && minimum == nullptr) return E_POINTER;
  const HRESULT entered = enter("IAudioClient::GetDevicePeriod");
  if (entered != S_OK) return entered;
  if (standard != nullptr) *standard = kPeriod;
  if (minimum != nullptr) *minimum = kShortestPeriod;
  return S_OK;
}

}  // namespace patchcord
