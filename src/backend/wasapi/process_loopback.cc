#include "process_loopback.h"

#include <algorithm>

#include "com_object.h"
#include "formats.h"
#include "handle.h"
#include "packet_reader.h"
#include "process_loopback_params.h"
#include "system_library.h"

namespace patchcord {
namespace {

constexpr REFERENCE_TIME kHeadroom = 200 * kReferencePerMs;
constexpr int64_t kLongestWait = 10 * kNsPerMs;  // how often it delivers silence
constexpr int64_t kRetryDelays[] = {50 * kNsPerMs, 150 * kNsPerMs, 400 * kNsPerMs};
// the longest wait for another activation: half of kSystemTimeoutMs
constexpr DWORD kTurnMs = 5000;

// Windows converts to the requested format, but most programs request 44.1 or 48 kHz. The other
// formats that it supports are not documented.
const Format kEverybodys{48000, 2, SampleFormat::kF32};

constexpr HRESULT kTimedOut = static_cast<HRESULT>(0x800705B4);      // ERROR_TIMEOUT
constexpr HRESULT kFileNotFound = static_cast<HRESULT>(0x80070002);  // no such virtual device

using Activate = HRESULT(WINAPI*)(LPCWSTR, REFIID, PROPVARIANT*,
                                  IActivateAudioInterfaceCompletionHandler*,
                                  IActivateAudioInterfaceAsyncOperation**);

class Handler final : public ComObject<IActivateAudioInterfaceCompletionHandler> {
 public:
  HRESULT STDMETHODCALLTYPE ActivateCompleted(IActivateAudioInterfaceAsyncOperation*) override {
    SetEvent(completed_.get());
    return S_OK;
  }
  const Handle& completed() const { return completed_; }

 private:
  const Handle completed_{make_latch()};
};

// One activation at a time in this process, because several at once fail.
class Turn {
 public:
  Turn() {
    static const HANDLE mutex = CreateMutexW(nullptr, FALSE, nullptr);
    mutex_ = mutex;
    const DWORD waited = WaitForSingleObject(mutex_, kTurnMs);
    taken_ = waited == WAIT_OBJECT_0 || waited == WAIT_ABANDONED;
  }
  ~Turn() {
    if (taken_) ReleaseMutex(mutex_);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  explicit operator bool() const { return taken_; }

 private:
  HANDLE mutex_;
  bool taken_;
};

// The three results: of the call, of the wait, of the activation.
CallResult activate_once(uint32_t pid, bool exclude_tree, ComPtr<IAudioClient>* client) {
  // Looked up at run time: an import would keep the addon from loading on an older Windows, which
  // lacks the function.
  static const Activate activate = [] {
    return SystemLibrary(L"mmdevapi.dll")
        .find<std::remove_pointer_t<Activate>>("ActivateAudioInterfaceAsync");
  }();
  if (activate == nullptr) return {E_NOTIMPL, "GetProcAddress(ActivateAudioInterfaceAsync)"};
  const Turn turn;
  if (!turn) return {kTimedOut, "ActivateAudioInterfaceAsync"};

  ProcessLoopbackParams params{
      ProcessLoopbackParams::kProcessLoopbackType, pid,
      exclude_tree ? ProcessLoopbackParams::kExcludeTree : ProcessLoopbackParams::kIncludeTree};
  PROPVARIANT value{};
  value.vt = VT_BLOB;
  value.blob.cbSize = sizeof params;
  value.blob.pBlobData = reinterpret_cast<BYTE*>(&params);
  const ComPtr<Handler> handler(new Handler);
  ComPtr<IActivateAudioInterfaceAsyncOperation> operation;
  HRESULT result = activate(kProcessLoopbackDevice, __uuidof(IAudioClient), &value, handler.get(),
                            operation.receive());
  if (FAILED(result)) return {result, "ActivateAudioInterfaceAsync"};
  if (WaitForSingleObject(handler->completed().get(), kTurnMs) != WAIT_OBJECT_0) {
    return {kTimedOut, "IActivateAudioInterfaceCompletionHandler::ActivateCompleted"};
  }
  HRESULT activated = E_FAIL;
  ComPtr<IUnknown> object;
  result = operation->GetActivateResult(&activated, object.receive());
  const char* const call = "IActivateAudioInterfaceAsyncOperation::GetActivateResult";
  if (FAILED(result)) return {result, call};
  if (FAILED(activated)) return {activated, call};
  if (!object) return {E_NOINTERFACE, call};
  return {object->QueryInterface(__uuidof(IAudioClient), client->receive()), call};
}

bool is_final(HRESULT result) {
  const HRESULT known[] = {E_NOTIMPL,      E_NOINTERFACE,      kFileNotFound, E_INVALIDARG,
                           E_ACCESSDENIED, RPC_E_CHANGED_MODE, kTimedOut};
  return SUCCEEDED(result) || std::any_of(std::begin(known), std::end(known),
                                          [&](HRESULT one) { return one == result; });
}

// This client reports almost nothing: no mix format, no period, no position, no padding.
class ProcessWork final : public StreamWork {
 public:
  ProcessWork(uint32_t pid, bool exclude_tree, const Format& format, CaptureListener* listener)
      : pid_(pid),
        exclude_tree_(exclude_tree),
        format_(format),
        listener_(*listener),
        packets_(listener, false, false) {
    format_.sample_format = SampleFormat::kF32;
  }
  ~ProcessWork() override {
    if (started_) client_->Stop();
  }

  Flow flow() const override { return Flow::kOutput; }
  const char* attempt() const override { return "capturing a program"; }
  bool has_device() const override { return false; }
  int64_t longest_wait_ns() const override { return kLongestWait; }
  void lost(const Error& error) noexcept override { listener_.on_lost(error); }

  CallResult open(IMMDevice*, HANDLE wake, StreamInfo* info) override {
    CallResult result = initialize(wake);
    if (result.result == AUDCLNT_E_UNSUPPORTED_FORMAT && format_ != kEverybodys) {
      format_ = kEverybodys;
      result = initialize(wake);
    }
    const std::unique_ptr<Event> pause = Event::create();
    for (const int64_t delay : kRetryDelays) {
      if (is_final(result.result)) break;
      pause->wait(delay);
      result = initialize(wake);
    }
    if (result.failed()) return result;
    info->format = format_;
    info->period_frames = format_.sample_rate / 100;
    // Its GetBufferSize() returns garbage before the first packet.
    info->buffer_frames = to_frames(kHeadroom, format_.sample_rate);
    return packets_.open(client_.get(), info->buffer_frames, trace());
  }

  CallResult start() override {
    const HRESULT result = client_->Start();
    started_ = SUCCEEDED(result);
    return {result, "IAudioClient::Start"};
  }

  CallResult turn(Gate* gate, bool) noexcept override {
    uint32_t drained = 0;
    const CallResult result = packets_.drain(gate, &drained);
    if (result.failed() || drained > 0) return result;
    // Unlike a device it has no padding to query, and when the audio service stops, GetBuffer() of
    // an idle client may return no error.
    const CallResult asked = packets_.ask();
    if (asked.failed()) return asked;
    if (const Gate::Pass pass(gate); pass) listener_.on_idle(false);
    return {};
  }

 private:
  CallResult initialize(HANDLE wake) {
    CallResult result = activate_once(pid_, exclude_tree_, &client_);
    if (result.failed()) return result;
    const WAVEFORMATEXTENSIBLE wave = to_wave_format(format_);
    result = {client_->Initialize(AUDCLNT_SHAREMODE_SHARED,
                                  AUDCLNT_STREAMFLAGS_LOOPBACK | AUDCLNT_STREAMFLAGS_EVENTCALLBACK,
                                  kHeadroom, 0, &wave.Format, nullptr),
              "IAudioClient::Initialize"};
    if (result.failed()) return result;
    return {client_->SetEventHandle(wake), "IAudioClient::SetEventHandle"};
  }

  const uint32_t pid_;
  const bool exclude_tree_;
  Format format_;
  CaptureListener& listener_;
  ComPtr<IAudioClient> client_;
  PacketReader packets_;
  bool started_ = false;
};

}  // namespace

std::unique_ptr<StreamWork> make_process_work(uint32_t pid, bool exclude_tree, const Format& format,
                                              CaptureListener* listener) {
  return std::make_unique<ProcessWork>(pid, exclude_tree, format, listener);
}

Error explain_process_failure(Error error, uint32_t pid) {
  const std::string who = "capturing process " + std::to_string(pid);
  if (error.code == ErrorCode::kPermissionDenied) {
    error.message = who + " failed: access to it is denied";
    error.remedy = "run this program as the user of that process, or as an administrator";
  } else if (error.code == ErrorCode::kUnsupported || error.code == ErrorCode::kDeviceNotFound) {
    error.code = ErrorCode::kUnsupported;
    error.message = who + " failed: this version of Windows has no process loopback";
    error.remedy =
        "use Windows 10 build 19041 or later (officially 20348), or a LoopbackSource for "
        "everything that the system plays";
  } else {
    error.message = who + ": " + error.message;
  }
  return error;
}

}  // namespace patchcord
