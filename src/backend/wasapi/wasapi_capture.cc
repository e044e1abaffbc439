#include "wasapi_capture.h"

#include <cstring>

#include "echo_cancellation.h"
#include "formats.h"
#include "packet_reader.h"
#include "stream_client.h"

namespace patchcord {
namespace {

// Only headroom for a late thread: packets come every period whatever the buffer's length, and with
// the smallest buffer some devices glitch. Wine makes its sound server keep no more than this, and
// reports nothing of what the server then drops: with 200 ms a busy machine lost some audio each
// second.
constexpr REFERENCE_TIME kHeadroom = 1000 * kReferencePerMs;

// Loopback has no events while nothing plays, so this wait sets how often it delivers silence; for
// a microphone it only detects that events stopped.
constexpr int64_t kLoopbackWait = 10 * kNsPerMs;
constexpr int64_t kMicrophoneWait = 20 * kNsPerMs;
// For a loopback whose packets are short too.
constexpr int64_t kShortWait = 3 * kNsPerMs;
constexpr int64_t kShortIdleLag = 6 * kNsPerMs;

// A removed device may signal without end and without a packet, or never again. After this long
// without a packet the stream queries its padding, which fails if the device is gone.
constexpr int64_t kWatchdog = 250 * kNsPerMs;

// Wine's timestamp is the time at which its own thread fetched the packet from the sound server. On
// a quiet machine that thread was 44 ms late three times in half an hour, which must not look like
// an idle endpoint.
constexpr int64_t kWineIdleLag = 100 * kNsPerMs;

// Wine marks all its libraries behind the DOS header. Another mmdevapi.dll, which Wine can
// run too, has its own timestamps.
bool is_wines_audio() noexcept {
  static const bool marked = [] {
    constexpr char kMark[] = "Wine builtin DLL";
    const auto* library = reinterpret_cast<const char*>(GetModuleHandleW(L"mmdevapi.dll"));
    return library != nullptr &&
           std::memcmp(library + sizeof(IMAGE_DOS_HEADER), kMark, sizeof(kMark) - 1) == 0;
  }();
  return marked;
}

class CaptureWork final : public StreamWork {
 public:
  CaptureWork(const CaptureRequest& request, Clock* clock, CaptureListener* listener)
      : loopback_(request.kind == CaptureRequest::Kind::kLoopback),
        options_(request.options),
        clock_(clock),
        listener_(listener),
        packets_(listener, true, request.options.exclusive) {}

  Flow flow() const override { return loopback_ ? Flow::kOutput : Flow::kInput; }
  const char* attempt() const override { return StreamClient::attempt(options_); }
  int64_t longest_wait_ns() const override {
    if (!loopback_) return kMicrophoneWait;
    return low_latency_ ? kShortWait : kLoopbackWait;
  }
  void lost(const Error& error) noexcept override { listener_->on_lost(error); }

  CallResult open(IMMDevice* device, HANDLE wake, StreamInfo* info) override {
    const DWORD flags = loopback_ ? AUDCLNT_STREAMFLAGS_LOOPBACK : 0;
    const CallResult opened = client_.open(device, {options_, flags, kHeadroom}, wake, info);
    if (opened.failed()) return opened;
    low_latency_ = info->granted.low_latency.granted;
    if (low_latency_) info->timing.idle_lag = kShortIdleLag;
    if (is_wines_audio()) info->timing = {kWineIdleLag, true};
    const CallResult served = packets_.open(client_.get(), info->buffer_frames, trace());
    if (served.failed()) return served;
    if (!loopback_) look_at_echo_cancellation(client_.get(), options_, info);
    return {};
  }

  CallResult start() override {
    quiet_since_ = clock_->now();
    return client_.start();
  }

  CallResult turn(Gate* gate, bool) noexcept override {
    uint32_t drained = 0;
    const CallResult drain_result = packets_.drain(gate, &drained);
    if (drain_result.failed()) return drain_result;
    const int64_t now = clock_->now();
    if (drained > 0) {
      quiet_since_ = now;
      return {};
    }
    if (const Gate::Pass pass(gate); pass) listener_->on_idle(false);
    if (now - quiet_since_ < kWatchdog) return {};
    quiet_since_ = now;
    UINT32 frames = 0;
    const CallResult asked = client_.padding(&frames);
    note(TraceRecord::padding(asked.result, frames));
    return asked;
  }

 private:
  const bool loopback_;
  const OpenOptions options_;
  Clock* const clock_;
  CaptureListener* const listener_;

  StreamClient client_;
  PacketReader packets_;
  int64_t quiet_since_ = 0;
  bool low_latency_ = false;  // granted
};

}  // namespace

std::unique_ptr<StreamWork> make_capture_work(const CaptureRequest& request, Clock* clock,
                                              CaptureListener* listener) {
  return std::make_unique<CaptureWork>(request, clock, listener);
}

}  // namespace patchcord
