#include "echo_services.h"

#include <vector>

#include "endpoint_id.h"
#include "engine.h"
#include "results.h"

namespace patchcord {

// The effects of this engine never change.
HRESULT EffectsService::RegisterAudioEffectsChangedNotificationCallback(
    IAudioEffectsChangedNotificationClient* client) {
  return client == nullptr ? E_POINTER : S_OK;
}

HRESULT EffectsService::UnregisterAudioEffectsChangedNotificationCallback(
    IAudioEffectsChangedNotificationClient* client) {
  return client == nullptr ? E_POINTER : S_OK;
}

HRESULT EffectsService::GetAudioEffects(AUDIO_EFFECT** effects, UINT32* count) {
  if (effects == nullptr || count == nullptr) return E_POINTER;
  *effects = nullptr;
  *count = 0;
  PATCHCORD_SCRIPTED(client_->endpoint(), "IAudioEffectsManager::GetAudioEffects");
  if (!cancels_echo_) return S_OK;
  auto* const made = static_cast<AUDIO_EFFECT*>(CoTaskMemAlloc(sizeof(AUDIO_EFFECT)));
  if (made == nullptr) return E_OUTOFMEMORY;
  *made = {kEchoCancellation, FALSE, AUDIO_EFFECT_STATE_ON};
  *effects = made;
  *count = 1;
  return S_OK;
}

HRESULT EffectsService::SetAudioEffectState(GUID, AUDIO_EFFECT_STATE) { return E_ACCESSDENIED; }

// Null: the system chooses the reference.
HRESULT EchoControl::SetEchoCancellationRenderEndpoint(LPCWSTR endpoint) {
  PATCHCORD_SCRIPTED(client_->endpoint(),
                     "IAcousticEchoCancellationControl::SetEchoCancellationRenderEndpoint");
  std::string id;
  if (endpoint != nullptr) {
    std::vector<DeviceInfo> devices;
    if (Error error = Engine::get().world->devices(&devices)) return to_result(error);
    const DeviceInfo* const found = find_endpoint(devices, endpoint);
    if (found == nullptr || found->flow != Flow::kOutput) return E_INVALIDARG;
    id = found->id;
  }
  Engine::get().policies.change(client_->endpoint(),
                                [&](Policy& policy) { policy.echo_reference = id; });
  return S_OK;
}

}  // namespace patchcord
