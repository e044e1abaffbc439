#include "mme_capture.h"

#include "arrival_capture.h"
#include "system_library.h"

// After windows.h, which it needs.
#include <mmsystem.h>

#include <array>
#include <atomic>
#include <vector>

namespace patchcord {
namespace {

// One second in buffers of 10 ms: a thread that wakes late loses nothing.
constexpr size_t kBuffers = 100;
constexpr uint32_t kBuffersPerSecond = 100;

// The header mmddk.h of the driver kit defines these messages, which ask for the id of the endpoint
// behind a device of MME.
constexpr UINT kQueryInstanceId = 0x0811;
constexpr UINT kQueryInstanceIdSize = 0x0812;

struct WaveIn {
  const SystemLibrary library{L"winmm.dll"};
  decltype(&::waveInGetNumDevs) count = library.find<UINT WINAPI()>("waveInGetNumDevs");
  decltype(&::waveInMessage) message =
      library.find<MMRESULT WINAPI(HWAVEIN, UINT, DWORD_PTR, DWORD_PTR)>("waveInMessage");
  decltype(&::waveInOpen) open =
      library.find<MMRESULT WINAPI(LPHWAVEIN, UINT, LPCWAVEFORMATEX, DWORD_PTR, DWORD_PTR, DWORD)>(
          "waveInOpen");
  decltype(&::waveInPrepareHeader) prepare =
      library.find<MMRESULT WINAPI(HWAVEIN, LPWAVEHDR, UINT)>("waveInPrepareHeader");
  decltype(&::waveInUnprepareHeader) unprepare =
      library.find<MMRESULT WINAPI(HWAVEIN, LPWAVEHDR, UINT)>("waveInUnprepareHeader");
  decltype(&::waveInAddBuffer) add =
      library.find<MMRESULT WINAPI(HWAVEIN, LPWAVEHDR, UINT)>("waveInAddBuffer");
  decltype(&::waveInStart) start = library.find<MMRESULT WINAPI(HWAVEIN)>("waveInStart");
  decltype(&::waveInReset) reset = library.find<MMRESULT WINAPI(HWAVEIN)>("waveInReset");
  decltype(&::waveInClose) close = library.find<MMRESULT WINAPI(HWAVEIN)>("waveInClose");

  bool complete() const {
    return count != nullptr && message != nullptr && open != nullptr && prepare != nullptr &&
           unprepare != nullptr && add != nullptr && start != nullptr && reset != nullptr &&
           close != nullptr;
  }
};

const WaveIn& wave_in() {
  static const WaveIn& functions = *new WaveIn;
  return functions;
}

HRESULT to_result(MMRESULT result) {
  switch (result) {
    case MMSYSERR_NOERROR:
      return S_OK;
    case MMSYSERR_BADDEVICEID:
    case MMSYSERR_NODRIVER:
    case MMSYSERR_INVALHANDLE:
      return AUDCLNT_E_DEVICE_INVALIDATED;
    case MMSYSERR_ALLOCATED:
      return AUDCLNT_E_DEVICE_IN_USE;
    case MMSYSERR_NOMEM:
      return E_OUTOFMEMORY;
    case WAVERR_BADFORMAT:
      return AUDCLNT_E_UNSUPPORTED_FORMAT;
    default:
      return E_FAIL;
  }
}

class MmeWork final : public ArrivalCapture {
 public:
  using ArrivalCapture::ArrivalCapture;
  // The system must not write to the buffers any more.
  ~MmeWork() override {
    if (input_ == nullptr) return;
    wave_in().reset(input_);
    for (WAVEHDR& header : headers_) wave_in().unprepare(input_, &header, sizeof(header));
    wave_in().close(input_);
  }

 private:
  const char* api() const override { return "mme"; }

  CallResult find(IMMDevice* device) override {
    if (!wave_in().complete()) return {E_NOTIMPL, "LoadLibrary(winmm.dll)"};
    LPWSTR raw = nullptr;
    const HRESULT result = device->GetId(&raw);
    if (FAILED(result)) return {result, "IMMDevice::GetId"};
    const CoMem<wchar_t> id(raw);
    const UINT count = wave_in().count();
    for (number_ = 0; number_ < count; ++number_) {
      if (id_of(number_) == id.get()) return {};
    }
    return {AUDCLNT_E_DEVICE_INVALIDATED, "waveInMessage(DRV_QUERYFUNCTIONINSTANCEID)"};
  }

  static std::wstring id_of(UINT number) {
    // A number stands for a device that is not open.
    const auto device = reinterpret_cast<HWAVEIN>(static_cast<uintptr_t>(number));
    ULONG bytes = 0;
    if (wave_in().message(device, kQueryInstanceIdSize, reinterpret_cast<DWORD_PTR>(&bytes), 0) !=
            MMSYSERR_NOERROR ||
        bytes == 0) {
      return {};
    }
    std::wstring id(bytes / sizeof(wchar_t) + 1, L'\0');
    if (wave_in().message(device, kQueryInstanceId, reinterpret_cast<DWORD_PTR>(&id[0]), bytes) !=
        MMSYSERR_NOERROR) {
      return {};
    }
    return id.c_str();
  }

  CallResult connect(const WAVEFORMATEX* wave, HANDLE wake) override {
    const MMRESULT opened = wave_in().open(&input_, number_, wave,
                                           reinterpret_cast<DWORD_PTR>(wake), 0, CALLBACK_EVENT);
    if (opened != MMSYSERR_NOERROR) {
      input_ = nullptr;
      return {to_result(opened), "waveInOpen"};
    }
    const uint32_t bytes = wave->nSamplesPerSec / kBuffersPerSecond * wave->nBlockAlign;
    memory_.resize(bytes * kBuffers);
    for (size_t i = 0; i < kBuffers; ++i) {
      WAVEHDR& header = headers_[i];
      header.lpData = memory_.data() + i * bytes;
      header.dwBufferLength = bytes;
      const MMRESULT prepared = wave_in().prepare(input_, &header, sizeof(header));
      if (prepared != MMSYSERR_NOERROR) return {to_result(prepared), "waveInPrepareHeader"};
      const CallResult added = add(&header);
      if (added.failed()) return added;
    }
    return {};
  }

  CallResult run() override { return {to_result(wave_in().start(input_)), "waveInStart"}; }

  CallResult drain(Gate* gate) noexcept override {
    size_t done = 0;
    uint32_t behind = 0;
    while (done < kBuffers && is_done(at(done))) behind += at(done++).dwBytesRecorded;
    for (size_t i = 0; i < done; ++i) {
      WAVEHDR& header = at(0);
      behind -= header.dwBytesRecorded;
      deliver(gate, header.lpData, header.dwBytesRecorded, behind);
      const CallResult added = add(&header);
      if (added.failed()) return added;
      next_ = (next_ + 1) % kBuffers;
    }
    return {};
  }

  WAVEHDR& at(size_t offset) { return headers_[(next_ + offset) % kBuffers]; }

  // The system's thread sets the flag.
  static bool is_done(const WAVEHDR& header) noexcept {
    const bool done = (static_cast<const volatile WAVEHDR&>(header).dwFlags & WHDR_DONE) != 0;
    std::atomic_thread_fence(std::memory_order_acquire);
    return done;
  }

  CallResult add(WAVEHDR* header) noexcept {
    header->dwFlags &= ~static_cast<DWORD>(WHDR_DONE);
    header->dwBytesRecorded = 0;
    return {to_result(wave_in().add(input_, header, sizeof(*header))), "waveInAddBuffer"};
  }

  UINT number_ = 0;
  HWAVEIN input_ = nullptr;
  std::vector<char> memory_;
  std::array<WAVEHDR, kBuffers> headers_{};
  size_t next_ = 0;
};

}  // namespace

std::unique_ptr<StreamWork> make_mme_work(const CaptureRequest& request, Clock* clock,
                                          CaptureListener* listener) {
  return std::make_unique<MmeWork>(request, clock, listener);
}

}  // namespace patchcord
