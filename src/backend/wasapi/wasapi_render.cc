#include "wasapi_render.h"

#include <algorithm>

#include "microphone_session.h"
#include "stamps.h"
#include "stream_client.h"

namespace patchcord {
namespace {

// The longest latency that is requested of the system.
constexpr uint32_t kMaxLatencyMs = 1000;

constexpr REFERENCE_TIME kUsualPeriodMs = 10;

// Wakes without an event, to detect that the device is gone and to survive a lost event.
constexpr int64_t kLongestWait = 20 * kNsPerMs;

// A device counts as having underrun if it is late for this many turns, by no more than in the one
// in which it was least late. A late wake of Wine's mixer thread is made up for within three.
constexpr int kLateTurns = 5;

// Up to this many eighths of a period a device only jitters; in Wine, whose positions move by whole
// periods, by a third of one. With the usual period and a half in hand, one late wake makes a hole
// of half a period.
constexpr int64_t kJitterEighths = 3;

// Turns in which a device may begin later than it reported: it plays only silence so far.
constexpr int kFirstTurns = 4;

// A device that is late by more than this, with audio in hand, stood still because the machine
// slept.
constexpr int64_t kSleep = kNsPerSecond;

// A device whose own clock drifts stops to count as late after this many turns.
constexpr int64_t kDriftTurns = 128;

// During a call Windows lowers other programs; audio that goes into the call must not be lowered.
// The stream's own session has the name of the microphone where Windows shows volumes.
void set_up_session(IAudioClient* client, const std::string& microphone) {
  ComPtr<IAudioSessionControl> session;
  if (FAILED(client->GetService(__uuidof(IAudioSessionControl), session.receive()))) return;
  if (!microphone.empty()) session->SetDisplayName(to_wide(microphone).c_str(), nullptr);
  ComPtr<IAudioSessionControl2> session2;
  if (FAILED(session->QueryInterface(__uuidof(IAudioSessionControl2), session2.receive()))) return;
  session2->SetDuckingPreference(TRUE);
}

class RenderWork final : public StreamWork {
 public:
  RenderWork(const RenderRequest& request, RenderListener* listener)
      : latency_ms_(std::min(request.latency_ms, kMaxLatencyMs)),
        most_ms_(std::min(request.latency_ms + request.most_more_ms, kMaxLatencyMs)),
        options_(request.options),
        listener_(listener) {}

  Flow flow() const override { return Flow::kOutput; }
  const char* attempt() const override { return StreamClient::attempt(options_); }
  int64_t longest_wait_ns() const override { return kLongestWait; }
  void lost(const Error& error) noexcept override { listener_->on_lost(error); }

  CallResult open(IMMDevice* device, HANDLE wake, StreamInfo* info) override {
    const CallResult opened = client_.open(device, request(), wake, info);
    if (opened.failed()) return opened;
    set_up_session(client_.get(), options_.microphone);
    sample_rate_ = info->format.sample_rate;
    period_frames_ = info->period_frames;
    // The engine takes a whole period at a time: with less than one and a quarter in hand, each
    // late wake would make a hole.
    uint32_t wanted = to_frames(latency_ms_ * kReferencePerMs, sample_rate_);
    // A late wake may use up the audio in hand after the device has taken a period: that amount
    // stays the same.
    const uint32_t usual = to_frames(kUsualPeriodMs * kReferencePerMs, sample_rate_);
    if (info->granted.low_latency.granted && period_frames_ < usual) {
      wanted -= std::min(wanted, usual - period_frames_);
    }
    least_target_ =
        std::min(std::max(wanted, period_frames_ + period_frames_ / 4), info->buffer_frames);
    // In exclusive mode each event requests the whole buffer that the device has finished.
    info->fixed_fill = options_.exclusive;
    if (options_.exclusive) least_target_ = info->buffer_frames;
    most_target_ = info->buffer_frames;
    target_ = least_target_;

    HRESULT result = client_.get()->GetService(__uuidof(IAudioRenderClient), render_.receive());
    if (FAILED(result)) return {result, "IAudioClient::GetService(IAudioRenderClient)"};
    result = client_.get()->GetService(__uuidof(IAudioClock), device_clock_.receive());
    if (FAILED(result)) return {result, "IAudioClient::GetService(IAudioClock)"};
    return {device_clock_->GetFrequency(&units_per_second_), "IAudioClock::GetFrequency"};
  }

  // With an empty buffer the first period would be a hole. It gets silence, because the listener
  // can only be asked for frames once their time is known.
  CallResult start() override {
    BYTE* data = nullptr;
    HRESULT result = render_->GetBuffer(target_, &data);
    if (FAILED(result)) return {result, "IAudioRenderClient::GetBuffer"};
    result = render_->ReleaseBuffer(target_, AUDCLNT_BUFFERFLAGS_SILENT);
    if (FAILED(result)) return {result, "IAudioRenderClient::ReleaseBuffer"};
    written_ = target_;
    return client_.start();
  }

  CallResult turn(Gate* gate, bool signalled) noexcept override {
    UINT32 padding = 0;
    const CallResult asked = client_.padding(&padding);
    note(TraceRecord::padding(asked.result, padding));
    if (asked.failed()) return asked;
    const int64_t play_time = time_of_next_frame();
    check_underrun(gate, play_time, padding > 0);
    const int64_t more = listener_->more_fill() * sample_rate_ / kNsPerSecond;
    target_ = std::min(least_target_ + static_cast<uint32_t>(more), most_target_);
    // In exclusive mode the padding says nothing: there are two buffers, and each event is for one
    // of them.
    if (options_.exclusive ? !signalled : padding >= target_) return {};
    const uint32_t frames = options_.exclusive ? target_ : target_ - padding;
    BYTE* data = nullptr;
    HRESULT result = render_->GetBuffer(frames, &data);
    // The next turn writes it.
    if (result == AUDCLNT_E_BUFFER_OPERATION_PENDING) return {};
    if (options_.exclusive && result == AUDCLNT_E_BUFFER_TOO_LARGE) return {};
    if (FAILED(result)) return {result, "IAudioRenderClient::GetBuffer"};
    {
      const Gate::Pass pass(gate);
      if (!pass) return {};  // the stream is over; the contents of the buffer must not be played
      listener_->on_render(data, frames, play_time);
    }
    result = render_->ReleaseBuffer(frames, 0);
    note({TraceRecord::Kind::kWritten, false, result, frames});
    if (FAILED(result)) return {result, "IAudioRenderClient::ReleaseBuffer"};
    written_ += frames;
    if (expected_ != kNoTime) expected_ += to_ns(frames);
    return {};
  }

 private:
  // Windows remembers a volume that the user once set for all programs called node.exe. It must not
  // lower a microphone, which therefore has its own session, whose volume ends with it.
  ClientRequest request() const {
    ClientRequest request{options_, 0, most_ms_ * kReferencePerMs, true, nullptr};
    if (options_.microphone.empty()) return request;
    request.flags = AUDCLNT_STREAMFLAGS_NOPERSIST;
    request.session = &kMicrophoneSession;
    return request;
  }
  int64_t to_ns(int64_t frames) const { return frames * kNsPerSecond / sample_rate_; }
  // For any duration; limited to the range of an underrun's frames.
  uint32_t lost_frames(int64_t ns) const {
    const int64_t frames =
        ns / kNsPerSecond * sample_rate_ + ns % kNsPerSecond * sample_rate_ / kNsPerSecond;
    return static_cast<uint32_t>(std::min<int64_t>(frames, UINT32_MAX));
  }

  // When a frame written now would be played, by the device's position.
  int64_t time_of_next_frame() noexcept {
    UINT64 position = 0;
    UINT64 stamp = 0;
    // S_FALSE: the driver was busy and the values are old. Position 0: the device has not moved
    // yet, so its delay is still unknown.
    const HRESULT result = device_clock_->GetPosition(&position, &stamp);
    note({TraceRecord::Kind::kPosition, false, result, 0, 0, position, stamp});
    if (result != S_OK || position == 0) return kNoTime;
    const int64_t time = stamp_time(stamp);
    if (time == kNoTime) return kNoTime;
    const uint64_t played = position / units_per_second_ * sample_rate_ +
                            position % units_per_second_ * sample_rate_ / units_per_second_;
    return time + to_ns(written_ - static_cast<int64_t>(played));
  }

  // While the device is starved its position stands still, so the next audio is heard later than
  // was reported before. The padding does not show this: it is back to normal before this thread
  // wakes. If only a few turns are late, the driver moved its position late. `filled`: the device
  // has something to play.
  void check_underrun(Gate* gate, int64_t play_time, bool filled) noexcept {
    if (play_time == kNoTime) return;
    if (first_turns_ < kFirstTurns) {
      ++first_turns_;
      expected_ = play_time;
      return;
    }
    const int64_t late = play_time - expected_;
    if (late <= to_ns(period_frames_) * kJitterEighths / 8) {
      late_turns_ = 0;
      // Follows drift slowly, so that small holes add up instead of passing for drift.
      expected_ = late > 0 ? expected_ + late / kDriftTurns : play_time;
      return;
    }
    if (late_turns_ == 0 && filled && late > kSleep) {
      expected_ = play_time;
      return;
    }
    least_late_ = late_turns_ == 0 ? late : std::min(least_late_, late);
    if (++late_turns_ < kLateTurns) return;
    late_turns_ = 0;
    expected_ += least_late_;
    const Gate::Pass pass(gate);
    if (!pass) return;
    listener_->on_underrun(lost_frames(least_late_), false);
  }

  const uint32_t latency_ms_, most_ms_;
  const OpenOptions options_;
  RenderListener* const listener_;

  StreamClient client_;
  ComPtr<IAudioRenderClient> render_;
  ComPtr<IAudioClock> device_clock_;
  UINT64 units_per_second_ = 0;
  uint32_t sample_rate_ = 0;
  uint32_t period_frames_ = 0;
  uint32_t least_target_ = 0, most_target_ = 0;
  uint32_t target_ = 0;         // frames that the device has in hand after each turn
  int64_t written_ = 0;         // frames, from the start
  int64_t expected_ = kNoTime;  // when the next frame is heard, if the device does not underrun
  int first_turns_ = 0;         // turns with a position so far
  int late_turns_ = 0;
  int64_t least_late_ = 0;  // the least late of them
};

}  // namespace

std::unique_ptr<StreamWork> make_render_work(const RenderRequest& request,
                                             RenderListener* listener) {
  return std::make_unique<RenderWork>(request, listener);
}

}  // namespace patchcord
