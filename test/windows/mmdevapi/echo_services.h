// IAudioEffectsManager and IAcousticEchoCancellationControl of a microphone's stream.
#pragma once

#include "../../../src/backend/wasapi/audio_effects.h"
#include "audio_client.h"
#include "counted_object.h"

namespace patchcord {

class EffectsService final : public CountedObject<IAudioEffectsManager> {
 public:
  EffectsService(AudioClient* client, bool cancels_echo)
      : client_(retain(client)), cancels_echo_(cancels_echo) {}

  HRESULT STDMETHODCALLTYPE RegisterAudioEffectsChangedNotificationCallback(
      IAudioEffectsChangedNotificationClient* client) override;
  HRESULT STDMETHODCALLTYPE UnregisterAudioEffectsChangedNotificationCallback(
      IAudioEffectsChangedNotificationClient* client) override;
  HRESULT STDMETHODCALLTYPE GetAudioEffects(AUDIO_EFFECT** effects, UINT32* count) override;
  HRESULT STDMETHODCALLTYPE SetAudioEffectState(GUID effect, AUDIO_EFFECT_STATE state) override;

 private:
  const ComPtr<AudioClient> client_;
  const bool cancels_echo_;
};

class EchoControl final : public CountedObject<IAcousticEchoCancellationControl> {
 public:
  explicit EchoControl(AudioClient* client) : client_(retain(client)) {}

  HRESULT STDMETHODCALLTYPE SetEchoCancellationRenderEndpoint(LPCWSTR endpoint) override;

 private:
  const ComPtr<AudioClient> client_;
};

}  // namespace patchcord
