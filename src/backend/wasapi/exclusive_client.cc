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

// Drivers take few formats, and there is no list of them to be had: what the user chose in the
// sound settings first, then what most have.
std::vector<Format> candidates(IMMDevice* device, IAudioClient* client, const Format& demanded) {
  std::vector<Format> formats;
  if (demanded.sample_rate != 0) {
    formats.push_back(demanded);
    // How drivers have 24 bits is their own affair.
    if (demanded.sample_format == SampleFormat::kS24) {
      formats.push_back({demanded.sample_rate, demanded.channels, SampleFormat::kS24In32});
    }
    return formats;
  }
  Format chosen;
  if (read_device_format(device, &chosen)) formats.push_back(chosen);
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
  return formats;
}

// The first that the driver takes.
CallResult negotiate(IMMDevice* device, IAudioClient* client, const Format& demanded,
                     WAVEFORMATEXTENSIBLE* wave, Format* format) {
  for (const Format& candidate : candidates(device, client, demanded)) {
    WAVEFORMATEXTENSIBLE described = to_wave_format(candidate);
    const WORD tag =
        candidate.sample_format == SampleFormat::kF32 ? WAVE_FORMAT_IEEE_FLOAT : WAVE_FORMAT_PCM;
    for (const bool extensible : {true, false}) {
      if (!extensible) {
        // Some older drivers know nothing else, which can describe no more than this.
        if (candidate.channels > 2 || candidate.sample_format == SampleFormat::kS24In32) break;
        described.Format.wFormatTag = tag;
        described.Format.cbSize = 0;
      }
      const HRESULT result =
          client->IsFormatSupported(AUDCLNT_SHAREMODE_EXCLUSIVE, &described.Format, nullptr);
      if (result == S_OK) {
        *wave = described;
        *format = candidate;
        return {};
      }
      if (FAILED(result) && result != AUDCLNT_E_UNSUPPORTED_FORMAT && result != E_INVALIDARG) {
        return {result, "IAudioClient::IsFormatSupported"};
      }
    }
  }
  return {AUDCLNT_E_UNSUPPORTED_FORMAT, "IAudioClient::IsFormatSupported"};
}

// To the nearest, as the driver calculates it back.
REFERENCE_TIME to_period(UINT32 frames, uint32_t sample_rate) {
  return (kReferencePerSecond * frames + sample_rate / 2) / sample_rate;
}

}  // namespace

CallResult open_exclusive(IMMDevice* device, const ClientRequest& request,
                          ComPtr<IAudioClient>* client, StreamInfo* info) {
  CallResult made = activate_client(device, request.options, client, info);
  if (made.failed()) return made;
  WAVEFORMATEXTENSIBLE wave;
  made = negotiate(device, client->get(), request.options.format, &wave, &info->format);
  if (made.failed()) return made;
  REFERENCE_TIME standard = 0;
  REFERENCE_TIME shortest = 0;
  HRESULT result = (*client)->GetDevicePeriod(&standard, &shortest);
  if (FAILED(result)) return {result, "IAudioClient::GetDevicePeriod"};

  REFERENCE_TIME period = request.options.low_latency ? std::min(shortest, standard) : standard;
  bool aligned = false;
  for (;;) {
    // With events the buffer is one period.
    result = (*client)->Initialize(AUDCLNT_SHAREMODE_EXCLUSIVE, AUDCLNT_STREAMFLAGS_EVENTCALLBACK,
                                   period, period, &wave.Format, nullptr);
    if (SUCCEEDED(result)) break;
    if (result == AUDCLNT_E_BUFFER_SIZE_NOT_ALIGNED && !aligned) {
      // The driver moves whole blocks. It tells the next length that it can do.
      UINT32 frames = 0;
      const HRESULT asked = (*client)->GetBufferSize(&frames);
      if (FAILED(asked)) return {asked, "IAudioClient::GetBufferSize"};
      period = to_period(frames, info->format.sample_rate);
      aligned = true;
    } else if (result == AUDCLNT_E_INVALID_DEVICE_PERIOD && 2 * period <= kLongestPeriod) {
      period *= 2;
      aligned = false;
    } else {
      return {result, "IAudioClient::Initialize"};
    }
    // A client that was refused once may answer E_UNEXPECTED from then on.
    made = activate_client(device, request.options, client, info);
    if (made.failed()) return made;
  }
  info->period_frames = to_frames(period, info->format.sample_rate);
  info->granted.exclusive = true;
  if (request.options.low_latency) {
    info->granted.low_latency =
        period < standard ? Wish::fulfilled() : Wish::refused("the driver has no shorter period");
  }
  return {};
}

}  // namespace patchcord
