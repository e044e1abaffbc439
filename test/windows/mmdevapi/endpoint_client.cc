#include "endpoint_client.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "capture_service.h"
#include "echo_services.h"
#include "engine.h"
#include "render_services.h"
#include "replay.h"
#include "results.h"
#include "session_objects.h"
#include "wave_format.h"

namespace patchcord {
namespace {

// The audio engine's: 10 ms, or the 448 frames that Windows has at 44.1 kHz.
constexpr REFERENCE_TIME standard_period(uint32_t sample_rate) {
  return sample_rate % 11025 == 0 ? 101587 : 10 * kReferencePerMs;
}

// For exclusive streams.
constexpr REFERENCE_TIME kShortestPeriod = 3 * kReferencePerMs;
constexpr REFERENCE_TIME kLongestPeriod = 500 * kReferencePerMs;

// The block size of a driver's direct memory access, as in Intel's HD Audio: a buffer is a whole
// number of blocks.
constexpr uint32_t kAlignmentBytes = 128;

// The one format that a driver has, with the channel mask that it knows.
bool is_drivers(const WAVEFORMATEX* wave, const Format& format, const Policy& policy) {
  if (!describes(wave, format)) return false;
  const std::optional<uint32_t> mask = mask_of(wave);
  return !mask || !policy.mask || *mask == *policy.mask;
}

bool is_of_capture(AUDIO_STREAM_CATEGORY category) {
  return category == AudioCategory_Other || category == AudioCategory_Communications ||
         category == AudioCategory_Speech;
}

}  // namespace

AudioClient::EnginePeriod EndpointClient::engine_period() const {
  const uint32_t rate = device_.format.sample_rate;
  const uint32_t standard = to_frames(standard_period(rate), rate);
  const uint32_t chosen = Engine::get().policies.of(device_.id).period_frames;
  return {mix_of(device_.format), standard, chosen == 0 ? standard : chosen};
}

EndpointClient::~EndpointClient() {
  if (claimed_ == nullptr) return;
  Engine::get().policies.change(device_.id,
                                [this](Policy& policy) { --(policy.claims.*claimed_); });
}

HRESULT EndpointClient::look(DeviceInfo* now) const {
  std::vector<DeviceInfo> devices;
  if (Error error = Engine::get().world->devices(&devices)) return to_result(error);
  for (const DeviceInfo& device : devices) {
    if (device.id != device_.id || device.state != DeviceState::kActive) continue;
    *now = device;
    return S_OK;
  }
  return AUDCLNT_E_DEVICE_INVALIDATED;
}

// A device that one stream has exclusively has no other; one with shared streams cannot be opened
// exclusively.
HRESULT EndpointClient::claim(bool exclusive) {
  HRESULT claimed = AUDCLNT_E_DEVICE_IN_USE;
  Engine::get().policies.change(device_.id, [&](Policy& policy) {
    Claims& claims = policy.claims;
    if (claims.exclusive > 0 || (exclusive && claims.shared > 0)) return;
    claimed_ = exclusive ? &Claims::exclusive : &Claims::shared;
    ++(claims.*claimed_);
    claimed = S_OK;
  });
  return claimed;
}

HRESULT EndpointClient::check_exclusive(const Request& request, const DeviceInfo& now,
                                        uint32_t* frames) {
  const Policy policy = Engine::get().policies.of(device_.id);
  switch (policy.exclusive) {
    case Exclusive::kRefused:
      return AUDCLNT_E_EXCLUSIVE_MODE_NOT_ALLOWED;
    case Exclusive::kBusy:
      return AUDCLNT_E_DEVICE_IN_USE;
    case Exclusive::kAllowed:
      break;
  }
  if ((request.flags & AUDCLNT_STREAMFLAGS_LOOPBACK) != 0) return AUDCLNT_E_INVALID_STREAM_FLAG;
  if ((request.flags & AUDCLNT_STREAMFLAGS_AUTOCONVERTPCM) != 0) return E_INVALIDARG;
  if (!is_drivers(request.wave, now.format, policy)) return AUDCLNT_E_UNSUPPORTED_FORMAT;
  const REFERENCE_TIME standard = standard_period(now.format.sample_rate);
  // 0 stands for the default; what is below the driver's shortest is raised to it.
  const auto adjusted = [standard](REFERENCE_TIME asked) {
    return asked == 0 ? standard : std::max(asked, kShortestPeriod);
  };
  const REFERENCE_TIME period = adjusted(request.periodicity);
  const REFERENCE_TIME duration = adjusted(request.duration);
  if (period > kLongestPeriod) return AUDCLNT_E_INVALID_DEVICE_PERIOD;
  *frames = to_frames(duration, now.format.sample_rate);
  if ((request.flags & AUDCLNT_STREAMFLAGS_EVENTCALLBACK) == 0) return S_OK;
  if (duration != period) return AUDCLNT_E_BUFDURATION_PERIOD_NOT_EQUAL;
  const size_t frame_bytes = bytes_per_frame(now.format);
  if (*frames * frame_bytes % kAlignmentBytes == 0) {
    if (now.flow == Flow::kOutput) *frames *= policy.buffer_periods;
    return S_OK;
  }
  while (*frames * frame_bytes % kAlignmentBytes != 0) ++*frames;
  suggest_buffer(*frames);
  return AUDCLNT_E_BUFFER_SIZE_NOT_ALIGNED;
}

HRESULT EndpointClient::open(const Request& request) {
  const bool exclusive = request.mode == AUDCLNT_SHAREMODE_EXCLUSIVE;
  const bool loopback = (request.flags & AUDCLNT_STREAMFLAGS_LOOPBACK) != 0;
  DeviceInfo now;
  const HRESULT looked = look(&now);
  if (FAILED(looked)) return looked;
  const uint32_t period = engine_period().current;
  Format format = now.format;
  uint32_t buffer = 0;
  if (exclusive) {
    const HRESULT refused = check_exclusive(request, now, &buffer);
    if (refused != S_OK) return refused;
  } else {
    // A periodicity is ignored. The duration is a wish for headroom: never below two periods.
    const bool converts = (request.flags & AUDCLNT_STREAMFLAGS_AUTOCONVERTPCM) != 0;
    const HRESULT judged = judge_shared(request.wave, mix_of(now.format), converts, &format);
    if (judged != S_OK) return judged;
    if (!converts && Engine::get().policies.of(device_.id).refuses_mix) {
      return AUDCLNT_E_UNSUPPORTED_FORMAT;
    }
    // Nothing in this world converts a rate.
    if (format.sample_rate != now.format.sample_rate) return AUDCLNT_E_UNSUPPORTED_FORMAT;
    buffer = std::max(to_frames(request.duration, format.sample_rate), 2 * period);
  }
  if (loopback && device_.flow == Flow::kInput) return AUDCLNT_E_WRONG_ENDPOINT_TYPE;
  if (device_.flow == Flow::kInput && !is_of_capture(category())) return E_INVALIDARG;
  const HRESULT claimed = claim(exclusive);
  if (claimed != S_OK) return claimed;
  const std::shared_ptr<const Trace> replay = Engine::get().policies.of(device_.id).replay;
  if (replay) {
    const uint32_t longest = std::max(period, replay->longest);
    return open_capture(format, now.format, std::max(buffer, 2 * longest), longest,
                        [&](PacketQueue* packets, std::unique_ptr<Stream>* stream) {
                          *stream = make_replay(replay, now.format, packets);
                          return Error::none();
                        });
  }
  World& world = *Engine::get().world;
  if (loopback || device_.flow == Flow::kInput) {
    CaptureRequest wanted;
    wanted.kind = loopback ? CaptureRequest::Kind::kLoopback : CaptureRequest::Kind::kMicrophone;
    wanted.device_id = device_.id;
    return open_capture(format, now.format, buffer, period,
                        [&](CaptureListener* listener, std::unique_ptr<Stream>* stream) {
                          return world.open_capture(wanted, listener, stream);
                        });
  }
  RenderRequest wanted;
  wanted.device_id = device_.id;
  return open_render(format, now.format, buffer,
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
  const bool cancels_echo = device_.flow == Flow::kInput && !raw() &&
                            category() == AudioCategory_Communications &&
                            Engine::get().policies.of(device_.id).cancels_echo;
  if (iid == __uuidof(IAudioEffectsManager)) {
    return hand_over(new EffectsService(this, cancels_echo), iid, service);
  }
  if (iid == __uuidof(IAcousticEchoCancellationControl) && cancels_echo) {
    return hand_over(new EchoControl(this), iid, service);
  }
  if (iid == __uuidof(IAudioClock) && playing() != nullptr) {
    return hand_over(new ClockService(this), iid, service);
  }
  if ((iid == __uuidof(IAudioSessionControl) || iid == __uuidof(ISimpleAudioVolume)) &&
      playing() != nullptr) {
    return hand_over(new SessionControl(Engine::get().sessions.own(device_.id, session())), iid,
                     service);
  }
  return E_NOINTERFACE;
}

void EndpointClient::on_running(bool running) {
  if (playing() == nullptr && device_.flow == Flow::kOutput) return;
  Sessions& sessions = Engine::get().sessions;
  sessions.set_active(sessions.own(device_.id, session()), running);
}

HRESULT EndpointClient::GetStreamLatency(REFERENCE_TIME* latency) {
  if (latency == nullptr) return E_POINTER;
  const HRESULT entered = enter_initialized("IAudioClient::GetStreamLatency");
  if (entered == S_OK) *latency = standard_period(device_.format.sample_rate);
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
  DeviceInfo now;
  const HRESULT looked = look(&now);
  if (FAILED(looked)) return looked;
  const Policy policy = Engine::get().policies.of(device_.id);
  if (mode == AUDCLNT_SHAREMODE_EXCLUSIVE) {
    if (policy.exclusive == Exclusive::kRefused) return AUDCLNT_E_EXCLUSIVE_MODE_NOT_ALLOWED;
    return is_drivers(wave, now.format, policy) ? S_OK : AUDCLNT_E_UNSUPPORTED_FORMAT;
  }
  if (closest == nullptr) return E_POINTER;
  Format read;
  const HRESULT judged = judge_shared(wave, mix_of(now.format), false, &read);
  if (judged != AUDCLNT_E_UNSUPPORTED_FORMAT) return judged;
  *closest = allocate_wave_format(mix_of(now.format), policy.mask);
  return *closest != nullptr ? S_FALSE : E_OUTOFMEMORY;
}

HRESULT EndpointClient::GetMixFormat(WAVEFORMATEX** wave) {
  if (wave == nullptr) return E_POINTER;
  *wave = nullptr;
  const HRESULT entered = enter("IAudioClient::GetMixFormat");
  if (entered != S_OK) return entered;
  DeviceInfo now;
  const HRESULT looked = look(&now);
  if (FAILED(looked)) return looked;
  *wave = allocate_wave_format(mix_of(device_.format), Engine::get().policies.of(device_.id).mask);
  return *wave != nullptr ? S_OK : E_OUTOFMEMORY;
}

HRESULT EndpointClient::GetDevicePeriod(REFERENCE_TIME* standard, REFERENCE_TIME* minimum) {
  if (standard == nullptr && minimum == nullptr) return E_POINTER;
  const HRESULT entered = enter("IAudioClient::GetDevicePeriod");
  if (entered != S_OK) return entered;
  DeviceInfo now;
  const HRESULT looked = look(&now);
  if (FAILED(looked)) return looked;
  if (standard != nullptr) *standard = standard_period(device_.format.sample_rate);
  if (minimum != nullptr) *minimum = kShortestPeriod;
  return S_OK;
}

}  // namespace patchcord
