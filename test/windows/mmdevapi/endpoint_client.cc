#include "endpoint_client.h"

#include <algorithm>

#include "capture_service.h"
#include "engine.h"
#include "render_services.h"
#include "wave_format.h"

namespace patchcord {
namespace {

// The audio engine's, for every device.
constexpr REFERENCE_TIME kPeriod = 10 * kReferencePerMs;

}  // namespace

HRESULT EndpointClient::open(const Request& request) {
  const bool loopback = (request.flags & AUDCLNT_STREAMFLAGS_LOOPBACK) != 0;
  if (loopback && device_.flow == Flow::kInput) return AUDCLNT_E_WRONG_ENDPOINT_TYPE;
  const Format& format = device_.format;
  if (!describes(request.wave, format)) return AUDCLNT_E_UNSUPPORTED_FORMAT;
  // The duration is a wish for headroom: never below two periods.
  const uint32_t period = to_frames(kPeriod, format.sample_rate);
  const uint32_t buffer = std::max(to_frames(request.duration, format.sample_rate), 2 * period);
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
  return E_NOINTERFACE;
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
  if (mode != AUDCLNT_SHAREMODE_SHARED) return AUDCLNT_E_EXCLUSIVE_MODE_NOT_ALLOWED;
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
  if (minimum != nullptr) *minimum = kPeriod;
  return S_OK;
}

}  // namespace patchcord
