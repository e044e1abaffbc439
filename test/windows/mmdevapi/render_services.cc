#include "render_services.h"

#include "../../../src/backend/wasapi/formats.h"
#include "engine.h"

namespace patchcord {

HRESULT RenderService::enter(const char* call) const {
  PATCHCORD_SCRIPTED(client_->endpoint(), call);
  return client_->failure();
}

HRESULT RenderService::GetBuffer(UINT32 frames, BYTE** data) {
  if (data == nullptr) return E_POINTER;
  *data = nullptr;
  const HRESULT entered = enter("IAudioRenderClient::GetBuffer");
  if (entered != S_OK) return entered;
  if (held_ != 0) return AUDCLNT_E_OUT_OF_ORDER;
  if (frames == 0) return S_OK;
  if (client_->exclusive() && client_->event_driven() && frames != client_->buffer_frames()) {
    return AUDCLNT_E_BUFFER_SIZE_ERROR;
  }
  if (frames > client_->buffer_frames() - client_->playing()->padding()) {
    return AUDCLNT_E_BUFFER_TOO_LARGE;
  }
  held_ = frames;
  client_->buffer_held = true;
  *data = client_->playing()->staging();
  return S_OK;
}

HRESULT RenderService::ReleaseBuffer(UINT32 frames, DWORD flags) {
  const HRESULT entered = enter("IAudioRenderClient::ReleaseBuffer");
  if (entered != S_OK) return entered;
  if (held_ == 0) return frames == 0 ? S_OK : AUDCLNT_E_OUT_OF_ORDER;
  if (frames > held_) return AUDCLNT_E_INVALID_SIZE;
  held_ = 0;
  client_->buffer_held = false;
  client_->playing()->commit(frames, (flags & AUDCLNT_BUFFERFLAGS_SILENT) != 0);
  return S_OK;
}

HRESULT ClockService::enter(const char* call) const {
  PATCHCORD_SCRIPTED(client_->endpoint(), call);
  return client_->failure();
}

// Positions are in units of the clock's own: Windows counts bytes of shared streams, and frames of
// exclusive ones.
size_t ClockService::units_per_frame() const {
  return client_->exclusive() ? 1 : bytes_per_frame(client_->format());
}

HRESULT ClockService::GetFrequency(UINT64* frequency) {
  if (frequency == nullptr) return E_POINTER;
  const HRESULT entered = enter("IAudioClock::GetFrequency");
  if (entered != S_OK) return entered;
  *frequency = static_cast<UINT64>(client_->format().sample_rate) * units_per_frame();
  return S_OK;
}

HRESULT ClockService::GetPosition(UINT64* position, UINT64* stamp) {
  if (position == nullptr) return E_POINTER;
  const HRESULT entered = enter("IAudioClock::GetPosition");
  if (entered != S_OK) return entered;
  Engine& engine = Engine::get();
  const int64_t now = engine.world->clock().now();
  *position = client_->playing()->position_at(now) * units_per_frame();
  if (stamp != nullptr) {
    const int64_t offset = engine.policies.of(client_->endpoint()).clock_offset;
    *stamp = static_cast<UINT64>((now + offset) / kNsPerReference);
  }
  return S_OK;
}

HRESULT ClockService::GetCharacteristics(DWORD* characteristics) {
  if (characteristics == nullptr) return E_POINTER;
  *characteristics = 0;  // of no fixed frequency: AUDIOCLOCK_CHARACTERISTIC_FIXED_FREQ is not set
  return S_OK;
}

}  // namespace patchcord
