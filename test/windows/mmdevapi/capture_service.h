// IAudioCaptureClient.
#pragma once

#include "audio_client.h"
#include "counted_object.h"

namespace patchcord {

class CaptureService final : public CountedObject<IAudioCaptureClient> {
 public:
  // Process loopback has no device, its positions stay 0.
  enum class Positions { kOfDevice, kZero };

  CaptureService(AudioClient* client, Positions positions)
      : client_(retain(client)), positions_(positions) {}

  HRESULT STDMETHODCALLTYPE GetBuffer(BYTE** data, UINT32* frames, DWORD* flags, UINT64* position,
                                      UINT64* stamp) override;
  HRESULT STDMETHODCALLTYPE ReleaseBuffer(UINT32 frames) override;
  HRESULT STDMETHODCALLTYPE GetNextPacketSize(UINT32* frames) override;

 private:
  HRESULT enter(const char* call) const;

  const ComPtr<AudioClient> client_;
  const Positions positions_;
  const PacketQueue::Packet* held_ = nullptr;  // by the program
  int64_t first_position_ = kNoPosition;       // positions count from the stream's beginning
};

}  // namespace patchcord
