#include "directsound_capture.h"

#include "arrival_capture.h"
#include "endpoint_property.h"
#include "system_library.h"

// After windows.h, which they need.
#include <mmsystem.h>
// After mmsystem.h.
#include <dsound.h>

namespace patchcord {
namespace {

// The length of the ring. A thread that wakes later loses audio, which shows as packets that stay
// late.
constexpr uint32_t kRingMs = 1000;

constexpr HRESULT kNoDriver = static_cast<HRESULT>(0x88780078);    // DSERR_NODRIVER
constexpr HRESULT kBadFormat = static_cast<HRESULT>(0x88780064);   // DSERR_BADFORMAT
constexpr HRESULT kAllocated = static_cast<HRESULT>(0x8878000A);   // DSERR_ALLOCATED
constexpr HRESULT kBufferLost = static_cast<HRESULT>(0x88780096);  // DSERR_BUFFERLOST

HRESULT translate(HRESULT result) {
  if (result == kNoDriver || result == kBufferLost) return AUDCLNT_E_DEVICE_INVALIDATED;
  if (result == kAllocated) return AUDCLNT_E_DEVICE_IN_USE;
  // A description that DirectSound does not know is a wrong parameter to it.
  return result == kBadFormat || result == E_INVALIDARG ? AUDCLNT_E_UNSUPPORTED_FORMAT : result;
}

class DirectSoundWork final : public ArrivalCapture {
 public:
  using ArrivalCapture::ArrivalCapture;
  ~DirectSoundWork() override {
    if (buffer_) buffer_->Stop();
  }

 private:
  const char* api() const override { return "directsound"; }

  // DirectSound names a device by the GUID that is a property of the endpoint.
  CallResult find(IMMDevice* device) override {
    static const SystemLibrary& library = *new SystemLibrary(L"dsound.dll");
    const auto create = library.find<HRESULT WINAPI(LPCGUID, IDirectSoundCapture**, LPUNKNOWN)>(
        "DirectSoundCaptureCreate");
    if (create == nullptr) return {E_NOTIMPL, "LoadLibrary(dsound.dll)"};
    ComPtr<IPropertyStore> store;
    device->OpenPropertyStore(STGM_READ, store.receive());
    const std::string text = EndpointProperty(store.get(), PKEY_AudioEndpoint_GUID).text();
    GUID id = {};
    const HRESULT parsed = CLSIDFromString(to_wide(text).c_str(), &id);
    if (FAILED(parsed)) return {AUDCLNT_E_DEVICE_INVALIDATED, "IPropertyStore::GetValue"};
    return {translate(create(&id, capture_.receive(), nullptr)), "DirectSoundCaptureCreate"};
  }

  CallResult connect(const WAVEFORMATEX* wave, HANDLE) override {
    DSCBUFFERDESC description = {};
    description.dwSize = sizeof(description);
    ring_bytes_ = wave->nSamplesPerSec * kRingMs / 1000 * wave->nBlockAlign;
    block_bytes_ = wave->nBlockAlign;
    description.dwBufferBytes = ring_bytes_;
    description.lpwfxFormat = const_cast<WAVEFORMATEX*>(wave);
    return {translate(capture_->CreateCaptureBuffer(&description, buffer_.receive(), nullptr)),
            "IDirectSoundCapture::CreateCaptureBuffer"};
  }

  CallResult run() override {
    return {translate(buffer_->Start(DSCBSTART_LOOPING)), "IDirectSoundCaptureBuffer::Start"};
  }

  CallResult drain(Gate* gate) noexcept override {
    DWORD readable = 0;
    HRESULT result = buffer_->GetCurrentPosition(nullptr, &readable);
    if (FAILED(result)) {
      return {translate(result), "IDirectSoundCaptureBuffer::GetCurrentPosition"};
    }
    const DWORD arrived = (readable + ring_bytes_ - read_) % ring_bytes_;
    const DWORD bytes = arrived - arrived % block_bytes_;
    if (bytes == 0) return {};
    void* parts[2] = {};
    DWORD sizes[2] = {};
    result = buffer_->Lock(read_, bytes, &parts[0], &sizes[0], &parts[1], &sizes[1], 0);
    if (FAILED(result)) return {translate(result), "IDirectSoundCaptureBuffer::Lock"};
    deliver(gate, parts[0], sizes[0], sizes[1]);
    if (parts[1] != nullptr) deliver(gate, parts[1], sizes[1], 0);
    buffer_->Unlock(parts[0], sizes[0], parts[1], sizes[1]);
    read_ = (read_ + bytes) % ring_bytes_;
    return {};
  }

  // Behind the object that made it, so that it is released before.
  ComPtr<IDirectSoundCapture> capture_;
  ComPtr<IDirectSoundCaptureBuffer> buffer_;
  DWORD ring_bytes_ = 1;
  DWORD block_bytes_ = 1;
  DWORD read_ = 0;
};

}  // namespace

std::unique_ptr<StreamWork> make_directsound_work(const CaptureRequest& request, Clock* clock,
                                                  CaptureListener* listener) {
  return std::make_unique<DirectSoundWork>(request, clock, listener);
}

}  // namespace patchcord
