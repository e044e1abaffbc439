#include "shared_client.h"

#include "formats.h"

namespace patchcord {
namespace {

// Says what the stream is for, which only works before Initialize. Without IAudioClient2, or when
// refused, the stream merely has the default treatment.
void set_category(IAudioClient* client) {
  ComPtr<IAudioClient2> client2;
  if (FAILED(client->QueryInterface(__uuidof(IAudioClient2), client2.receive()))) return;
  AudioClientProperties properties = {};
  properties.cbSize = sizeof(properties);
  properties.eCategory = AudioCategory_Other;
  client2->SetClientProperties(&properties);
}

}  // namespace

SharedClient::~SharedClient() {
  if (started_) client_->Stop();
}

CallResult SharedClient::open(IMMDevice* device, DWORD flags, REFERENCE_TIME buffer, HANDLE wake,
                              StreamInfo* info) {
  HRESULT result = device->Activate(__uuidof(IAudioClient), CLSCTX_ALL, nullptr, client_.receive());
  if (FAILED(result)) return {result, "IMMDevice::Activate(IAudioClient)"};
  set_category(client_.get());

  WAVEFORMATEX* raw = nullptr;
  result = client_->GetMixFormat(&raw);
  if (FAILED(result)) return {result, "IAudioClient::GetMixFormat"};
  const CoMem<WAVEFORMATEX> wave(raw);
  if (!from_wave_format(wave.get(), sizeof(*raw) + raw->cbSize, &info->format)) {
    return {AUDCLNT_E_UNSUPPORTED_FORMAT, "IAudioClient::GetMixFormat"};
  }

  REFERENCE_TIME period = 0;
  result = client_->GetDevicePeriod(&period, nullptr);
  if (FAILED(result)) return {result, "IAudioClient::GetDevicePeriod"};
  info->period_frames = to_frames(period, info->format.sample_rate);

  // Periodicity must be 0 in shared mode: the audio engine has a period of its own.
  result = client_->Initialize(AUDCLNT_SHAREMODE_SHARED, AUDCLNT_STREAMFLAGS_EVENTCALLBACK | flags,
                               buffer, 0, wave.get(), nullptr);
  if (FAILED(result)) return {result, "IAudioClient::Initialize"};
  result = client_->SetEventHandle(wake);
  if (FAILED(result)) return {result, "IAudioClient::SetEventHandle"};
  UINT32 buffer_frames = 0;
  result = client_->GetBufferSize(&buffer_frames);
  if (FAILED(result)) return {result, "IAudioClient::GetBufferSize"};
  info->buffer_frames = buffer_frames;
  return {};
}

CallResult SharedClient::start() {
  const HRESULT result = client_->Start();
  started_ = SUCCEEDED(result);
  return {result, "IAudioClient::Start"};
}

CallResult SharedClient::padding(UINT32* frames) {
  return {client_->GetCurrentPadding(frames), "IAudioClient::GetCurrentPadding"};
}

}  // namespace patchcord
