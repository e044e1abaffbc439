#include "stream_client.h"

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

StreamClient::~StreamClient() {
  if (started_) client_->Stop();
}

CallResult StreamClient::open(IMMDevice* device, const ClientRequest& request, HANDLE wake,
                              StreamInfo* info) {
  const CallResult opened = request.options.exclusive
                                ? open_exclusive(device, request, &client_, info)
                                : open_shared(device, request, &client_, info);
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
