#include "capture_service.h"

#include "engine.h"

namespace patchcord {

HRESULT CaptureService::enter(const char* call) const {
  PATCHCORD_SCRIPTED(client_->endpoint(), call);
  return client_->failure();
}

HRESULT CaptureService::GetBuffer(BYTE** data, UINT32* frames, DWORD* flags, UINT64* position,
                                  UINT64* stamp) {
  if (data == nullptr || frames == nullptr || flags == nullptr) return E_POINTER;
  // Without a packet the flags, the position and the stamp stay as they were.
  *data = nullptr;
  *frames = 0;
  const HRESULT entered = enter("IAudioCaptureClient::GetBuffer");
  // An idle process loopback is not told here that the service has stopped.
  if (positions_ == Positions::kZero && entered != S_OK && entered == client_->failure()) {
    return AUDCLNT_S_BUFFER_EMPTY;
  }
  if (entered != S_OK) return entered;
  if (held_ != nullptr) return AUDCLNT_E_OUT_OF_ORDER;
  const PacketQueue::Packet* const packet = client_->packets()->front();
  if (packet == nullptr) {
    // An exclusive stream is polled between two turns of its buffer.
    return client_->exclusive() ? AUDCLNT_E_BUFFER_ERROR : AUDCLNT_S_BUFFER_EMPTY;
  }
  held_ = packet;
  client_->buffer_held = true;
  if (first_position_ == kNoPosition) first_position_ = packet->position;
  *data = const_cast<BYTE*>(packet->data.data());
  *frames = packet->frames;
  *flags = packet->flags;
  if (position != nullptr) {
    *position = positions_ == Positions::kOfDevice
                    ? static_cast<UINT64>(packet->position - first_position_)
                    : 0;
  }
  if (stamp != nullptr) *stamp = packet->stamp;
  return S_OK;
}

HRESULT CaptureService::ReleaseBuffer(UINT32 frames) {
  const HRESULT entered = enter("IAudioCaptureClient::ReleaseBuffer");
  if (entered != S_OK) return entered;
  if (held_ == nullptr) return frames == 0 ? S_OK : AUDCLNT_E_OUT_OF_ORDER;
  // 0: the same packet again.
  if (frames != 0 && frames != held_->frames) return AUDCLNT_E_INVALID_SIZE;
  if (frames != 0) client_->packets()->pop();
  held_ = nullptr;
  client_->buffer_held = false;
  return S_OK;
}

HRESULT CaptureService::GetNextPacketSize(UINT32* frames) {
  if (frames == nullptr) return E_POINTER;
  *frames = 0;
  const HRESULT entered = enter("IAudioCaptureClient::GetNextPacketSize");
  if (entered != S_OK) return entered;
  const PacketQueue::Packet* const packet = client_->packets()->front();
  if (packet != nullptr) *frames = packet->frames;
  return S_OK;
}

}  // namespace patchcord
