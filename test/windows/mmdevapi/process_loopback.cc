#include "process_loopback.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <cwchar>
#include <thread>

#include "../../../src/backend/wasapi/process_loopback_params.h"
#include "audio_client.h"
#include "capture_service.h"
#include "engine.h"
#include "results.h"
#include "wave_format.h"

namespace patchcord {
namespace {

// How scripts name what belongs to no endpoint.
const char kEndpoint[] = "process-loopback";

// The size of the loopback's own buffer, whatever the caller requests.
constexpr REFERENCE_TIME kShortestBuffer = 20 * kReferencePerMs;
constexpr REFERENCE_TIME kLongestBuffer = 5 * kReferencePerSecond;

// A client with fewer methods than others: most of IAudioClient is E_NOTIMPL here.
class ProcessLoopbackClient final : public AudioClient {
 public:
  ProcessLoopbackClient(uint32_t pid, ProcessTaps::Mode mode)
      : AudioClient(kEndpoint, Generation::kFirst), pid_(pid), mode_(mode) {}

  // Before the first packet Windows gives no sensible figure.
  HRESULT STDMETHODCALLTYPE GetBufferSize(UINT32* frames) override {
    const HRESULT result = AudioClient::GetBufferSize(frames);
    if (result == S_OK && packets()->front() == nullptr) *frames = 0xDEADBEEF;
    return result;
  }
  HRESULT STDMETHODCALLTYPE GetStreamLatency(REFERENCE_TIME*) override { return E_NOTIMPL; }
  HRESULT STDMETHODCALLTYPE GetCurrentPadding(UINT32*) override { return E_NOTIMPL; }
  HRESULT STDMETHODCALLTYPE IsFormatSupported(AUDCLNT_SHAREMODE, const WAVEFORMATEX*,
                                              WAVEFORMATEX** closest) override {
    if (closest != nullptr) *closest = nullptr;
    return E_NOTIMPL;
  }
  HRESULT STDMETHODCALLTYPE GetMixFormat(WAVEFORMATEX** wave) override {
    if (wave != nullptr) *wave = nullptr;
    return E_NOTIMPL;
  }
  HRESULT STDMETHODCALLTYPE GetDevicePeriod(REFERENCE_TIME*, REFERENCE_TIME*) override {
    return E_NOTIMPL;
  }

 private:
  // In the caller's format: the system converts.
  HRESULT open(const Request& request) override {
    if (request.mode != AUDCLNT_SHAREMODE_SHARED) return AUDCLNT_E_EXCLUSIVE_MODE_NOT_ALLOWED;
    if ((request.flags & AUDCLNT_STREAMFLAGS_LOOPBACK) == 0) return AUDCLNT_E_WRONG_ENDPOINT_TYPE;
    Format format;
    if (!from_wave_format(request.wave, sizeof(*request.wave) + request.wave->cbSize, &format)) {
      return AUDCLNT_E_UNSUPPORTED_FORMAT;
    }
    const REFERENCE_TIME duration = std::clamp(request.duration, kShortestBuffer, kLongestBuffer);
    return open_capture(format, format, to_frames(duration, format.sample_rate),
                        format.sample_rate / 100,
                        [&](CaptureListener* listener, std::unique_ptr<Stream>* stream) {
                          return Engine::get().taps.open(pid_, mode_, format, listener, stream);
                        });
  }

  HRESULT make_service(REFIID iid, void** service) override {
    if (iid != __uuidof(IAudioCaptureClient)) return E_NOINTERFACE;
    return hand_over(new CaptureService(this, CaptureService::Positions::kZero), iid, service);
  }

  const uint32_t pid_;
  const ProcessTaps::Mode mode_;
};

// Carries the activation's result to the handler and to who waited for it.
class Operation final : public CountedObject<IActivateAudioInterfaceAsyncOperation> {
 public:
  HRESULT STDMETHODCALLTYPE GetActivateResult(HRESULT* result, IUnknown** object) override {
    if (result == nullptr || object == nullptr) return E_POINTER;
    *object = nullptr;
    PATCHCORD_SCRIPTED(kEndpoint, "IActivateAudioInterfaceAsyncOperation::GetActivateResult");
    if (!done_.load(std::memory_order_acquire)) return kIllegalMethodCall;
    *result = result_;
    if (object_) *object = retain(object_.get());
    return S_OK;
  }

  // The activating thread, once.
  // Null: of a path that names nothing.
  void complete(REFIID iid, const ProcessLoopbackParams* params) {
    result_ = params == nullptr ? kFileNotFound : activate(iid, *params);
    done_.store(true, std::memory_order_release);
  }

 private:
  HRESULT activate(REFIID iid, const ProcessLoopbackParams& params) {
    PATCHCORD_SCRIPTED(kEndpoint, "ActivateAudioInterface");
    const auto mode = params.mode == ProcessLoopbackParams::kExcludeTree
                          ? ProcessTaps::Mode::kExcludeTree
                          : ProcessTaps::Mode::kIncludeTree;
    // A pid without a process gives silence, which is not an error.
    return hand_over(new ProcessLoopbackClient(params.pid, mode), iid, object_.receive());
  }

  HRESULT result_ = E_FAIL;
  ComPtr<IUnknown> object_;
  std::atomic<bool> done_{false};
};

bool is_single_threaded() {
  APTTYPE type = APTTYPE_MTA;
  APTTYPEQUALIFIER qualifier = APTTYPEQUALIFIER_NONE;
  return SUCCEEDED(CoGetApartmentType(&type, &qualifier)) &&
         (type == APTTYPE_STA || type == APTTYPE_MAINSTA);
}

bool read_params(const PROPVARIANT* value, ProcessLoopbackParams* params) {
  if (value == nullptr || value->vt != VT_BLOB) return false;
  if (value->blob.pBlobData == nullptr || value->blob.cbSize < sizeof(*params)) return false;
  std::memcpy(params, value->blob.pBlobData, sizeof(*params));
  return params->type == ProcessLoopbackParams::kProcessLoopbackType &&
         params->mode <= ProcessLoopbackParams::kExcludeTree;
}

}  // namespace

HRESULT activate_process_loopback(LPCWSTR device, REFIID iid, PROPVARIANT* value,
                                  IActivateAudioInterfaceCompletionHandler* handler,
                                  IActivateAudioInterfaceAsyncOperation** operation) {
  if (operation == nullptr) return E_POINTER;
  *operation = nullptr;
  PATCHCORD_SCRIPTED(kEndpoint, "ActivateAudioInterfaceAsync");
  if (device == nullptr || handler == nullptr) return E_INVALIDARG;
  if (is_single_threaded()) return RPC_E_CHANGED_MODE;  // 0x80010106
  ComPtr<IAgileObject> agile;
  if (FAILED(handler->QueryInterface(__uuidof(IAgileObject), agile.receive()))) {
    return kIllegalMethodCall;
  }
  // A path that names nothing is only found out by the activation.
  const bool known = std::wcscmp(device, kProcessLoopbackDevice) == 0;
  ProcessLoopbackParams params{};
  if (known && !read_params(value, &params)) return E_INVALIDARG;

  Operation* const made = new Operation;
  *operation = made;
  std::thread([iid = IID(iid), known, params, held = retain(made), told = retain(handler)] {
    const Apartment apartment;
    const ComPtr<Operation> owned(held);
    const ComPtr<IActivateAudioInterfaceCompletionHandler> owned_handler(told);
    owned->complete(iid, known ? &params : nullptr);
    owned_handler->ActivateCompleted(owned.get());
  }).detach();
  return S_OK;
}

}  // namespace patchcord
