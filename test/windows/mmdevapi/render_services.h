// IAudioRenderClient and IAudioClock.
#pragma once

#include "audio_client.h"
#include "counted_object.h"

namespace patchcord {

class RenderService final : public CountedObject<IAudioRenderClient> {
 public:
  explicit RenderService(AudioClient* client) : client_(retain(client)) {}

  HRESULT STDMETHODCALLTYPE GetBuffer(UINT32 frames, BYTE** data) override;
  HRESULT STDMETHODCALLTYPE ReleaseBuffer(UINT32 frames, DWORD flags) override;

 private:
  HRESULT enter(const char* call) const;

  const ComPtr<AudioClient> client_;
  UINT32 held_ = 0;  // frames that the program may write
};

class ClockService final : public CountedObject<IAudioClock> {
 public:
  explicit ClockService(AudioClient* client) : client_(retain(client)) {}

  HRESULT STDMETHODCALLTYPE GetFrequency(UINT64* frequency) override;
  HRESULT STDMETHODCALLTYPE GetPosition(UINT64* position, UINT64* stamp) override;
  HRESULT STDMETHODCALLTYPE GetCharacteristics(DWORD* characteristics) override;

 private:
  HRESULT enter(const char* call) const;
  size_t units_per_frame() const;

  const ComPtr<AudioClient> client_;
};

}  // namespace patchcord
