#include "shared_client.h"

#include "client_properties.h"
#include "formats.h"

namespace patchcord {
namespace {

CallResult read_mix_format(IAudioClient* client, CoMem<WAVEFORMATEX>* wave, Format* format) {
  WAVEFORMATEX* raw = nullptr;
  const HRESULT result = client->GetMixFormat(&raw);
  if (FAILED(result)) return {result, "IAudioClient::GetMixFormat"};
  wave->reset(raw);
  if (!from_wave_format(raw, sizeof(*raw) + raw->cbSize, format)) {
    return {AUDCLNT_E_UNSUPPORTED_FORMAT, "IAudioClient::GetMixFormat"};
  }
  return {};
}

// Besides its own format the audio engine may accept others of the same rate and channels, and
// names the closest one.
CallResult check_format(IAudioClient* client, const WAVEFORMATEX* wave) {
  static const char kCall[] = "IAudioClient::IsFormatSupported";
  WAVEFORMATEX* raw = nullptr;
  const HRESULT result = client->IsFormatSupported(AUDCLNT_SHAREMODE_SHARED, wave, &raw);
  const CoMem<WAVEFORMATEX> closest(raw);
  if (FAILED(result)) return {result, kCall};
  return {result == S_OK ? S_OK : AUDCLNT_E_UNSUPPORTED_FORMAT, kCall};
}

std::string in_ms(uint32_t frames, uint32_t sample_rate) {
  const uint32_t tenths = (frames * 10000 + sample_rate / 2) / sample_rate;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " ms";
}

const char kNoAudioClient3[] = "this Windows has no IAudioClient3";

// Reads the audio engine's period. All streams of a device share it: the shortest that a program
// requested. Loopback, which cannot request one, gets it too.
Wish look_at_period(IAudioClient* client, uint32_t standard_frames, StreamInfo* info) {
  ComPtr<IAudioClient3> client3;
  if (FAILED(client->QueryInterface(__uuidof(IAudioClient3), client3.receive()))) {
    return Wish::refused(kNoAudioClient3);
  }
  WAVEFORMATEX* raw = nullptr;
  UINT32 frames = 0;
  if (FAILED(client3->GetCurrentSharedModeEnginePeriod(&raw, &frames)) || frames == 0) {
    return Wish::refused("the system does not report the period of the audio engine");
  }
  const CoMem<WAVEFORMATEX> wave(raw);
  info->period_frames = frames;
  if (frames < standard_frames) return Wish::fulfilled();
  return Wish::refused("loopback uses the period of the audio engine, " +
                       in_ms(frames, info->format.sample_rate) +
                       ", and no program that plays has requested a shorter one");
}

// Initialises `client` with the driver's shortest period, or with the period that an earlier stream
// has set. Returns false if the client must be created again; `wish` then says why.
bool initialize_small(IMMDevice* device, const ClientRequest& request, const WAVEFORMATEX* wave,
                      uint32_t standard_frames, ComPtr<IAudioClient>* client, StreamInfo* info) {
  Wish& wish = info->granted.low_latency;
  uint32_t locked = 0;
  // The second attempt uses the period that the first one learnt.
  for (int attempt = 0; attempt < 2; ++attempt) {
    ComPtr<IAudioClient3> client3;
    if (FAILED((*client)->QueryInterface(__uuidof(IAudioClient3), client3.receive()))) {
      wish = Wish::refused(kNoAudioClient3);
      return false;
    }
    UINT32 standard = 0;
    UINT32 fundamental = 0;
    UINT32 shortest = 0;
    UINT32 longest = 0;
    HRESULT result =
        client3->GetSharedModeEnginePeriod(wave, &standard, &fundamental, &shortest, &longest);
    if (FAILED(result)) {
      wish =
          Wish::refused(to_error({result, ""}, "IAudioClient3::GetSharedModeEnginePeriod").message);
      return false;
    }
    if (shortest == 0) {  // Wine returns S_OK and sets nothing else
      wish = Wish::refused("the system does not report the periods of the driver");
      return false;
    }
    const uint32_t period = locked != 0 ? locked : shortest;
    if (period >= standard_frames) {
      wish =
          Wish::refused((locked != 0 ? "another program has set the period of the audio engine to "
                                     : "the driver supports no period below ") +
                        in_ms(period, info->format.sample_rate));
      return false;
    }
    result = client3->InitializeSharedAudioStream(AUDCLNT_STREAMFLAGS_EVENTCALLBACK, period, wave,
                                                  request.session);
    if (SUCCEEDED(result)) {
      info->period_frames = period;
      wish = Wish::fulfilled();
      return true;
    }
    wish =
        Wish::refused(to_error({result, ""}, "IAudioClient3::InitializeSharedAudioStream").message);
    if (result != AUDCLNT_E_ENGINE_PERIODICITY_LOCKED) return false;
    WAVEFORMATEX* raw = nullptr;
    UINT32 current = 0;
    if (FAILED(client3->GetCurrentSharedModeEnginePeriod(&raw, &current))) return false;
    const CoMem<WAVEFORMATEX> current_wave(raw);
    locked = current;
    // After a refusal a client may return E_UNEXPECTED from every call.
    if (activate_client(device, request.options, client, info).failed()) return false;
  }
  return false;
}

// The format to request if the app demands none.
enum class Ask : uint8_t {
  kMix,         // the audio engine's mix format
  kMixAnew,     // the same, read again: it may have changed meanwhile
  kClosest,     // the closest format that the engine names
  kConversion,  // a format that every program may use, converted by Windows
};

// Windows' own resampler, with the better of its two qualities.
constexpr DWORD kConverted =
    AUDCLNT_STREAMFLAGS_AUTOCONVERTPCM | AUDCLNT_STREAMFLAGS_SRC_DEFAULT_QUALITY;
const Format kEverybodys{48000, 2, SampleFormat::kF32};

// Returns false if it names none.
bool read_closest(IAudioClient* client, CoMem<WAVEFORMATEX>* wave, Format* format) {
  WAVEFORMATEX* raw = nullptr;
  const HRESULT result = client->IsFormatSupported(AUDCLNT_SHAREMODE_SHARED, wave->get(), &raw);
  wave->reset(raw);
  return result == S_FALSE && raw != nullptr &&
         from_wave_format(raw, sizeof(*raw) + raw->cbSize, format);
}

CallResult open_asking(Ask ask, IMMDevice* device, const ClientRequest& request,
                       ComPtr<IAudioClient>* client, StreamInfo* info) {
  CallResult made = activate_client(device, request.options, client, info);
  if (made.failed()) return made;
  CoMem<WAVEFORMATEX> mix;
  made = read_mix_format(client->get(), &mix, &info->format);
  if (made.failed() && ask != Ask::kConversion) return made;
  if (ask == Ask::kClosest && !read_closest(client->get(), &mix, &info->format)) {
    return {AUDCLNT_E_UNSUPPORTED_FORMAT, "IAudioClient::IsFormatSupported"};
  }
  const WAVEFORMATEX* wave = mix.get();
  const Format& demanded = ask == Ask::kConversion ? kEverybodys : request.options.format;
  const WAVEFORMATEXTENSIBLE asked = to_wave_format(demanded);
  if (demanded.sample_rate != 0) {
    wave = &asked.Format;
    made = ask == Ask::kConversion ? CallResult{} : check_format(client->get(), wave);
    if (made.failed()) return made;
    info->format = demanded;
  }
  set_speakers(wave, info);
  REFERENCE_TIME period = 0;
  HRESULT result = (*client)->GetDevicePeriod(&period, nullptr);
  if (FAILED(result)) return {result, "IAudioClient::GetDevicePeriod"};
  const uint32_t standard_frames = to_frames(period, info->format.sample_rate);
  info->period_frames = standard_frames;

  const bool loopback = (request.flags & AUDCLNT_STREAMFLAGS_LOOPBACK) != 0;
  if (request.options.low_latency && !loopback) {
    if (ask == Ask::kConversion) {
      info->granted.low_latency = Wish::refused("Windows converts the format of this device");
    } else {
      if (initialize_small(device, request, wave, standard_frames, client, info)) return {};
      made = activate_client(device, request.options, client, info);
      if (made.failed()) return made;
    }
  }
  const DWORD flags = AUDCLNT_STREAMFLAGS_EVENTCALLBACK | request.flags |
                      (ask == Ask::kConversion ? kConverted : 0);
  // Periodicity must be 0 in shared mode, because the audio engine has its own period.
  result = (*client)->Initialize(AUDCLNT_SHAREMODE_SHARED, flags, request.buffer, 0, wave,
                                 request.session);
  if (FAILED(result)) return {result, "IAudioClient::Initialize"};
  if (request.options.low_latency && loopback) {
    info->granted.low_latency = look_at_period(client->get(), standard_frames, info);
  }
  return {};
}

}  // namespace

// Some drivers, of virtual surround for example, mix in a format that Initialize refuses.
CallResult open_shared(IMMDevice* device, const ClientRequest& request,
                       ComPtr<IAudioClient>* client, StreamInfo* info) {
  CallResult opened = open_asking(Ask::kMix, device, request, client, info);
  for (const Ask ask : {Ask::kMixAnew, Ask::kClosest, Ask::kConversion}) {
    const bool demanded = request.options.format.sample_rate != 0;
    if (opened.result != AUDCLNT_E_UNSUPPORTED_FORMAT || demanded) break;
    opened = open_asking(ask, device, request, client, info);
  }
  return opened;
}

}  // namespace patchcord
