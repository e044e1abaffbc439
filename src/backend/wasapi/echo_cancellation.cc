#include "echo_cancellation.h"

#include "audio_effects.h"

namespace patchcord {
namespace {

bool is_echo_cancelled(IAudioClient* client) {
  ComPtr<IAudioEffectsManager> manager;
  if (FAILED(client->GetService(__uuidof(IAudioEffectsManager), manager.receive()))) {
    return false;  // before Windows 11
  }
  AUDIO_EFFECT* raw = nullptr;
  UINT32 count = 0;
  if (FAILED(manager->GetAudioEffects(&raw, &count)) || raw == nullptr) return false;
  const CoMem<AUDIO_EFFECT> effects(raw);
  for (UINT32 i = 0; i < count; ++i) {
    if (raw[i].id == kEchoCancellation) return raw[i].state == AUDIO_EFFECT_STATE_ON;
  }
  return false;
}

Wish set_reference(IAudioClient* client, const std::string& output) {
  ComPtr<IAcousticEchoCancellationControl> control;
  const HRESULT found =
      client->GetService(__uuidof(IAcousticEchoCancellationControl), control.receive());
  if (found == E_NOINTERFACE) {
    return Wish::refused("this stream has no echo cancellation whose reference can be chosen");
  }
  static const char kCall[] = "IAcousticEchoCancellationControl::SetEchoCancellationRenderEndpoint";
  const HRESULT result =
      FAILED(found) ? found : control->SetEchoCancellationRenderEndpoint(to_wide(output).c_str());
  return SUCCEEDED(result) ? Wish::fulfilled()
                           : Wish::refused(to_error({result, ""}, kCall).message);
}

}  // namespace

void look_at_echo_cancellation(IAudioClient* client, const OpenOptions& options, StreamInfo* info) {
  if (!options.echo_reference.empty()) {
    info->granted.echo_reference = set_reference(client, options.echo_reference);
  }
  info->echo_cancelled = is_echo_cancelled(client);
}

}  // namespace patchcord
