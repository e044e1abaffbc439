// IAudioEffectsManager (Windows 11) and IAcousticEchoCancellationControl (Windows 11, build 22621),
// which mingw-w64 10 does not have.
#pragma once

#include "windows_sdk.h"

#ifndef __IAudioEffectsManager_INTERFACE_DEFINED__
#define __IAudioEffectsManager_INTERFACE_DEFINED__
enum AUDIO_EFFECT_STATE { AUDIO_EFFECT_STATE_OFF, AUDIO_EFFECT_STATE_ON };

struct AUDIO_EFFECT {
  GUID id;
  BOOL canSetState;
  AUDIO_EFFECT_STATE state;
};

MIDL_INTERFACE("A5DED44F-3C5D-4B2B-BD1E-5DC1EE20BBF6")
IAudioEffectsChangedNotificationClient : public IUnknown {
  virtual HRESULT STDMETHODCALLTYPE OnAudioEffectsChanged() = 0;
};

MIDL_INTERFACE("4460B3AE-4B44-4527-8676-7548A8ACD260")
IAudioEffectsManager : public IUnknown {
  virtual HRESULT STDMETHODCALLTYPE RegisterAudioEffectsChangedNotificationCallback(
      IAudioEffectsChangedNotificationClient * client) = 0;
  virtual HRESULT STDMETHODCALLTYPE UnregisterAudioEffectsChangedNotificationCallback(
      IAudioEffectsChangedNotificationClient * client) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetAudioEffects(AUDIO_EFFECT * *effects, UINT32 * count) = 0;
  virtual HRESULT STDMETHODCALLTYPE SetAudioEffectState(GUID effect, AUDIO_EFFECT_STATE state) = 0;
};

MIDL_INTERFACE("F4AE25B5-AAA3-437D-B6B3-DBBE2D0E9549")
IAcousticEchoCancellationControl : public IUnknown {
  virtual HRESULT STDMETHODCALLTYPE SetEchoCancellationRenderEndpoint(LPCWSTR endpoint) = 0;
};

#ifdef __CRT_UUID_DECL
__CRT_UUID_DECL(IAudioEffectsManager, 0x4460B3AE, 0x4B44, 0x4527, 0x86, 0x76, 0x75, 0x48, 0xA8,
                0xAC, 0xD2, 0x60)
__CRT_UUID_DECL(IAcousticEchoCancellationControl, 0xF4AE25B5, 0xAAA3, 0x437D, 0xB6, 0xB3, 0xDB,
                0xBE, 0x2D, 0x0E, 0x95, 0x49)
#endif
#endif

namespace patchcord {

// AUDIO_EFFECT_TYPE_ACOUSTIC_ECHO_CANCELLATION
constexpr GUID kEchoCancellation = {
    0x6F64ADBE, 0x8211, 0x11E2, {0x8C, 0x70, 0x2C, 0x27, 0xD7, 0xF0, 0x01, 0xFA}};

}  // namespace patchcord
