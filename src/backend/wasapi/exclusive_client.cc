#include "exclusive_client.h"

#include <algorithm>
#include <vector>

#include "formats.h"
#include "wasapi_devices.h"

namespace patchcord {
namespace {

// A period that a driver refuses is doubled up to here.
constexpr REFERENCE_TIME kLongestPeriod = 500 * kReferencePerMs;

constexpr SampleFormat kSampleFormats[] = {SampleFormat::kS24In32, SampleFormat::kS32,
                                           SampleFormat::kS24, SampleFormat::kS16,
                                           SampleFormat::kF32};

struct Candidate {
  WAVEFORMATEXTENSIBLE wave;
  Format format;
};

// A format, in the descriptions that drivers accept: with the usual speakers, with none (for an
// array of microphones, or a driver without speakers), and, for older drivers, plain.
void add_descriptions(const Format& format, std::vector<Candidate>* candidates) {
  Candidate candidate{to_wave_format(format), format};
  candidates->push_back(candidate);
  if (candidate.wave.dwChannelMask != 0) {
    candidate.wave.dwChannelMask = 0;
    candidates->push_back(candidate);
  }
  // A plain description cannot express more than this.
  if (format.channels > 2 || format.sample_format == SampleFormat::kS24In32) return;
  candidate.wave.Format.wFormatTag =
      format.sample_format == SampleFormat::kF32 ? WAVE_FORMAT_IEEE_FLOAT : WAVE_FORMAT_PCM;
  candidate.wave.Format.cbSize = 0;
  candidates->push_back(candidate);
}

// Drivers accept few formats, and there is no list of them. The first candidate is the user's
// choice in the sound settings, as the driver describes it; then come the most common formats.
std::vector<Candidate> candidates(IMMDevice* device, IAudioClient* client, const Format& demanded) {
  std::vector<Format> formats;
  std::vector<Candidate> candidates;
  Candidate chosen;
  const bool has_chosen = read_device_format(device, &chosen.wave, &chosen.format);
  const auto described = [&] {
    for (const Format& format : formats) add_descriptions(format, &candidates);
    return candidates;
  };
  if (demanded.sample_rate != 0) {
    formats.push_back(demanded);
    // Drivers differ in their layout of 24 bits.
    if (demanded.sample_format == SampleFormat::kS24) {
      formats.push_back({demanded.sample_rate, demanded.channels, SampleFormat::kS24In32});
    }
    const bool is_chosen =
        has_chosen && std::find(formats.begin(), formats.end(), chosen.format) != formats.end();
    if (is_chosen) candidates.push_back(chosen);
    return described();
  }
  if (has_chosen) {
    candidates.push_back(chosen);
    formats.push_back(chosen.format);
  }
  const auto add = [&formats](uint32_t rate, uint32_t channels) {
    for (const SampleFormat sample_format : kSampleFormats) {
      formats.push_back({rate, channels, sample_format});
    }
  };
  WAVEFORMATEX* raw = nullptr;
  Format mix;
  if (SUCCEEDED(client->GetMixFormat(&raw))) {
    const CoMem<WAVEFORMATEX> wave(raw);
    if (from_wave_format(raw, sizeof(*raw) + raw->cbSize, &mix)) add(mix.sample_rate, mix.channels);
  }
  for (const uint32_t channels : {mix.channels, uint32_t{2}, uint32_t{1}}) {
    for (const uint32_t rate : {48000u, 44100u, 96000u}) add(rate, channels);
  }
  return described();
}

bool is_about_format(HRESULT result) {
  return result == AUDCLNT_E_UNSUPPORTED_FORMAT || result == E_INVALIDARG;
}

// Rounded to nearest, because the driver converts it back.
REFERENCE_TIME to_period(UINT32 frames, uint32_t sample_rate) {
  return (kReferencePerSecond * frames + sample_rate / 2) / sample_rate;
}

// Opens the stream in one format. `period`: the requested one on entry, the granted one on return.
CallResult initialize(IMMDevice* device, const ClientRequest& request, const Candidate& candidate,
                      REFERENCE_TIME* period, ComPtr<IAudioClient>* client, StreamInfo* info) {
  bool aligned = false;
  for (;;) {
    // With events the buffer is one period.
    const HRESULT result =
        (*client)->Initialize(AUDCLNT_SHAREMODE_EXCLUSIVE, AUDCLNT_STREAMFLAGS_EVENTCALLBACK,
                              *period, *period, &candidate.wave.Format, request.session);
    if (SUCCEEDED(result)) return {};
    if (result == AUDCLNT_E_BUFFER_SIZE_NOT_ALIGNED && !aligned) {
      // The driver moves whole blocks, and reports the next length that it supports.
      UINT32 frames = 0;
      const HRESULT asked = (*client)->GetBufferSize(&frames);
      if (FAILED(asked)) return {asked, "IAudioClient::GetBufferSize"};
      *period = to_period(frames, candidate.format.sample_rate);
      aligned = true;
    } else if (result == AUDCLNT_E_INVALID_DEVICE_PERIOD && 2 * *period <= kLongestPeriod) {
      *period *= 2;
      aligned = false;
    } else {
      return {result, "IAudioClient::Initialize"};
    }
    // After a refusal a client may return E_UNEXPECTED from every call.
    const CallResult made = activate_client(device, request.options, client, info);
    if (made.failed()) return made;
  }
}

// Windows gives outputs of USB's first audio class a buffer of eight periods. Each event requests
// the whole buffer, so the latency is eight times as high; with an eighth of the period it is as
// intended.
CallResult shorten(IMMDevice* device, const ClientRequest& request, const Candidate& candidate,
                   REFERENCE_TIME shortest, REFERENCE_TIME* period, ComPtr<IAudioClient>* client,
                   StreamInfo* info) {
  UINT32 frames = 0;
  const HRESULT asked = (*client)->GetBufferSize(&frames);
  if (FAILED(asked)) return {asked, "IAudioClient::GetBufferSize"};
  const uint32_t ratio = frames / std::max(1u, to_frames(*period, candidate.format.sample_rate));
  if (ratio < 2) return {};
  *period = std::max(*period / ratio, shortest);
  const CallResult made = activate_client(device, request.options, client, info);
  return made.failed() ? made : initialize(device, request, candidate, period, client, info);
}

}  // namespace

CallResult open_exclusive(IMMDevice* device, const ClientRequest& request,
                          ComPtr<IAudioClient>* client, StreamInfo* info) {
  CallResult made = activate_client(device, request.options, client, info);
  if (made.failed()) return made;
  REFERENCE_TIME standard = 0;
  REFERENCE_TIME shortest = 0;
  const HRESULT told = (*client)->GetDevicePeriod(&standard, &shortest);
  if (FAILED(told)) return {told, "IAudioClient::GetDevicePeriod"};
  const REFERENCE_TIME wanted =
      request.options.low_latency ? std::min(shortest, standard) : standard;

  CallResult opened{AUDCLNT_E_UNSUPPORTED_FORMAT, "IAudioClient::IsFormatSupported"};
  REFERENCE_TIME period = wanted;
  for (const Candidate& candidate : candidates(device, client->get(), request.options.format)) {
    const HRESULT supported =
        (*client)->IsFormatSupported(AUDCLNT_SHAREMODE_EXCLUSIVE, &candidate.wave.Format, nullptr);
    if (FAILED(supported) && !is_about_format(supported)) {
      return {supported, "IAudioClient::IsFormatSupported"};
    }
    if (supported != S_OK) continue;
    period = wanted;
    opened = initialize(device, request, candidate, &period, client, info);
    if (!opened.failed() && request.plays) {
      opened = shorten(device, request, candidate, shortest, &period, client, info);
    }
    if (!opened.failed()) {
      info->format = candidate.format;
      set_speakers(&candidate.wave.Format, info);
      break;
    }
    // Some drivers refuse, with one of these codes, a format that they report as supported.
    if (!is_about_format(opened.result) && opened.result != AUDCLNT_E_ENDPOINT_CREATE_FAILED) break;
    made = activate_client(device, request.options, client, info);
    if (made.failed()) return made;
  }
  if (opened.failed()) return opened;
  info->period_frames = to_frames(period, info->format.sample_rate);
  info->granted.exclusive = true;
  if (request.options.low_latency) {
    info->granted.low_latency = period < standard
                                    ? Wish::fulfilled()
                                    : Wish::refused("the driver supports no shorter period");
  }
  return {};
}

}  // namespace patchcord
