#include "stream_client.h"

#include <cstring>
#include <string>

#include "client_properties.h"
#include "exclusive_client.h"
#include "shared_client.h"

namespace patchcord {

CallResult activate_client(IMMDevice* device, const OpenOptions& options,
                           ComPtr<IAudioClient>* client, StreamInfo* info) {
  const HRESULT result =
      device->Activate(__uuidof(IAudioClient), CLSCTX_ALL, nullptr, client->receive());
  if (FAILED(result)) return {result, "IMMDevice::Activate(IAudioClient)"};
  set_client_properties(client->get(), options, &info->granted);
  return {};
}

void set_speakers(const WAVEFORMATEX* wave, StreamInfo* info) {
  info->speakers = kUsualSpeakers;
  if (wave->wFormatTag != WAVE_FORMAT_EXTENSIBLE) return;
  WAVEFORMATEXTENSIBLE extensible;
  std::memcpy(&extensible, wave, sizeof(extensible));
  info->speakers = extensible.dwChannelMask;
}

// Windows accepts some properties of a stream and then refuses to initialise it, for example with a
// category that its kind does not support. A request must not make an open fail, so the next
// attempt has fewer.
CallResult StreamClient::initialize(IMMDevice* device, const ClientRequest& request,
                                    StreamInfo* info) {
  const auto open = [&](const ClientRequest& one) {
    return one.options.exclusive ? open_exclusive(device, one, &client_, info)
                                 : open_shared(device, one, &client_, info);
  };
  CallResult opened = open(request);
  const std::string refusal =
      opened.failed() ? to_error(opened, "IAudioClient::Initialize").message : std::string();
  ClientRequest fewer = request;
  Granted refused;
  const auto retry = [&](Wish Granted::*wish) {
    refused.*wish = Wish::refused(refusal);
    info->granted = {};
    opened = open(fewer);
  };
  if (opened.result == E_INVALIDARG && fewer.options.category != Category::kOther) {
    fewer.options.category = Category::kOther;
    retry(&Granted::category);
  }
  if (opened.result == E_INVALIDARG && fewer.options.raw) {
    fewer.options.raw = false;
    retry(&Granted::raw);
  }
  for (const auto wish : {&Granted::category, &Granted::raw}) {
    if (!(refused.*wish).why_not.empty()) info->granted.*wish = refused.*wish;
  }
  return opened;
}

StreamClient::~StreamClient() {
  if (started_) client_->Stop();
}

CallResult StreamClient::open(IMMDevice* device, const ClientRequest& request, HANDLE wake,
                              StreamInfo* info) {
  const CallResult opened = initialize(device, request, info);
  if (opened.failed()) return opened;
  HRESULT result = client_->SetEventHandle(wake);
  if (FAILED(result)) return {result, "IAudioClient::SetEventHandle"};
  UINT32 buffer_frames = 0;
  result = client_->GetBufferSize(&buffer_frames);
  if (FAILED(result)) return {result, "IAudioClient::GetBufferSize"};
  info->buffer_frames = buffer_frames;
  return {};
}

CallResult StreamClient::start() {
  const HRESULT result = client_->Start();
  started_ = SUCCEEDED(result);
  return {result, "IAudioClient::Start"};
}

CallResult StreamClient::padding(UINT32* frames) {
  return {client_->GetCurrentPadding(frames), "IAudioClient::GetCurrentPadding"};
}

}  // namespace patchcord
