#include "wasapi_capture.h"

#include "formats.h"
#include "stream_client.h"

namespace patchcord {
namespace {

// Only headroom for a late thread: packets come every period whatever it is, and with the smallest
// buffer some devices glitch.
constexpr REFERENCE_TIME kHeadroom = 200 * kReferencePerMs;

// Loopback has no events while nothing plays, so its wait is the rhythm of its silence; a
// microphone's only has to notice that its events stopped.
constexpr int64_t kLoopbackWait = 10 * kNsPerMs;
constexpr int64_t kMicrophoneWait = 20 * kNsPerMs;
// Of loopback whose packets are short too.
constexpr int64_t kShortWait = 3 * kNsPerMs;
constexpr uint32_t kShortIdleLagMs = 6;

// A removed device may signal for ever without a packet, or never again: after this long without
// one it is asked for its padding, which fails when it is gone.
constexpr int64_t kWatchdog = 250 * kNsPerMs;

class CaptureWork final : public StreamWork {
 public:
  CaptureWork(const CaptureRequest& request, Clock* clock, CaptureListener* listener)
      : loopback_(request.kind == CaptureRequest::Kind::kLoopback),
        options_(request.options),
        clock_(clock),
        listener_(listener) {}

  Flow flow() const override { return loopback_ ? Flow::kOutput : Flow::kInput; }
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
    if (low_latency_) info->idle_lag_ms = kShortIdleLagMs;
    buffer_frames_ = info->buffer_frames;
    return {client_.get()->GetService(__uuidof(IAudioCaptureClient), capture_.receive()),
            "IAudioClient::GetService(IAudioCaptureClient)"};
  }

  CallResult start() override {
    quiet_since_ = clock_->now();
    return client_.start();
  }

  CallResult turn(Gate* gate, bool) noexcept override {
    uint32_t drained = 0;
    const CallResult drain_result = drain(gate, &drained);
    if (drain_result.failed()) return drain_result;
    const int64_t now = clock_->now();
    if (drained > 0) {
      quiet_since_ = now;
      return {};
    }
    if (const Gate::Pass pass(gate); pass) listener_->on_idle();
    if (now - quiet_since_ < kWatchdog) return {};
    quiet_since_ = now;
    UINT32 frames = 0;
    return client_.padding(&frames);
  }

 private:
  // One wake-up may stand for several packets or for none. Ends after a buffer's worth, so that a
  // device that never says "empty" cannot hold the thread.
  CallResult drain(Gate* gate, uint32_t* drained) noexcept {
    while (*drained <= buffer_frames_) {
      BYTE* data = nullptr;
      UINT32 frames = 0;
      DWORD flags = 0;
      UINT64 position = 0;
      UINT64 stamp = 0;
      HRESULT result = capture_->GetBuffer(&data, &frames, &flags, &position, &stamp);
      if (result == AUDCLNT_S_BUFFER_EMPTY || result == AUDCLNT_E_BUFFER_OPERATION_PENDING) break;
      if (result == AUDCLNT_E_OUT_OF_ORDER) {
        // The last release did not count.
        result = capture_->ReleaseBuffer(held_);
        if (FAILED(result)) return {result, "IAudioCaptureClient::ReleaseBuffer"};
        break;
      }
      if (FAILED(result)) return {result, "IAudioCaptureClient::GetBuffer"};
      held_ = frames;
      if (frames > 0) deliver(gate, data, frames, flags, position, stamp);
      capture_->ReleaseBuffer(frames);
      if (frames == 0) break;
      *drained += frames;
    }
    return {};
  }

  void deliver(Gate* gate, const BYTE* data, UINT32 frames, DWORD flags, UINT64 position,
               UINT64 stamp) noexcept {
    Packet packet;
    // Flagged as silent, the memory holds whatever was there.
    packet.data = (flags & AUDCLNT_BUFFERFLAGS_SILENT) != 0 ? nullptr : data;
    packet.frames = frames;
    packet.position = static_cast<int64_t>(position);
    // The performance counter in 100 ns, which the real clock counts in ns.
    packet.time = (flags & AUDCLNT_BUFFERFLAGS_TIMESTAMP_ERROR) != 0
                      ? kNoTime
                      : static_cast<int64_t>(stamp) * kNsPerReference;
    // Undefined on the first packet.
    packet.discontinuity = !first_ && (flags & AUDCLNT_BUFFERFLAGS_DATA_DISCONTINUITY) != 0;
    first_ = false;
    if (const Gate::Pass pass(gate); pass) listener_->on_packet(packet);
  }

  const bool loopback_;
  const OpenOptions options_;
  Clock* const clock_;
  CaptureListener* const listener_;

  StreamClient client_;
  ComPtr<IAudioCaptureClient> capture_;
  uint32_t buffer_frames_ = 0;
  uint32_t held_ = 0;  // frames of the last GetBuffer
  int64_t quiet_since_ = 0;
  bool first_ = true;
  bool low_latency_ = false;  // granted
};

}  // namespace

std::unique_ptr<StreamWork> make_capture_work(const CaptureRequest& request, Clock* clock,
                                              CaptureListener* listener) {
  return std::make_unique<CaptureWork>(request, clock, listener);
}

}  // namespace patchcord
