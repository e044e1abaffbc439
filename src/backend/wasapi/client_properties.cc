#include "client_properties.h"

namespace patchcord {
namespace {

AUDIO_STREAM_CATEGORY to_windows(Category category) {
  switch (category) {
    case Category::kCommunications:
      return AudioCategory_Communications;
    case Category::kMedia:
      return AudioCategory_Media;
    case Category::kSpeech:
      return AudioCategory_Speech;
    case Category::kOther:
      break;
  }
  return AudioCategory_Other;
}

std::string refusal(HRESULT result) {
  return to_error({result, ""}, "IAudioClient2::SetClientProperties").message;
}

}  // namespace

void set_client_properties(IAudioClient* client, const OpenOptions& options, Granted* granted) {
  const bool has_category = options.category != Category::kOther;
  ComPtr<IAudioClient2> client2;
  if (FAILED(client->QueryInterface(__uuidof(IAudioClient2), client2.receive()))) {
    const Wish refused = Wish::refused("this Windows has no IAudioClient2");
    if (options.raw) granted->raw = refused;
    if (has_category) granted->category = refused;
    return;
  }
  AudioClientProperties properties = {};
  properties.cbSize = sizeof(properties);
  properties.eCategory = to_windows(options.category);
  if (options.raw) {
    properties.Options = AUDCLNT_STREAMOPTIONS_RAW;
    const HRESULT result = client2->SetClientProperties(&properties);
    granted->raw = SUCCEEDED(result)
                       ? Wish::fulfilled()
                       : Wish::refused(result == AUDCLNT_E_RAW_MODE_UNSUPPORTED
                                           ? "the driver supports no stream without its effects"
                                           : refusal(result));
    if (has_category && SUCCEEDED(result)) granted->category = Wish::fulfilled();
    if (SUCCEEDED(result)) return;
    properties.Options = AUDCLNT_STREAMOPTIONS_NONE;
  }
  const HRESULT result = client2->SetClientProperties(&properties);
  if (!has_category) return;
  granted->category = SUCCEEDED(result) ? Wish::fulfilled() : Wish::refused(refusal(result));
}

}  // namespace patchcord
