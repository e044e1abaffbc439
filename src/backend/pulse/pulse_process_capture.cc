#include "pulse_process_capture.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "../../core/graph/tap_sum.h"
#include "../../core/shown.h"
#include "../program_state.h"
#include "pulse_capture.h"
#include "pulse_inputs.h"

namespace patchcord {
namespace pulse {
namespace {

// For packets of 10 ms. A monitor's blocks are half a fragment long on PulseAudio, which hands each
// over as it comes; on PipeWire a fragment is a packet.
constexpr uint32_t kPulseFragmentMs = 20, kPipewireFragmentMs = 10;
// How often processes are looked at: the server announces streams, and no ends of processes. Those
// mostly follow the ends of streams.
constexpr int64_t kLook = 250 * kNsPerMs;
constexpr int64_t kNews = 2 * kNsPerSecond;  // for so long after some
constexpr int64_t kSeldomLook = kNsPerSecond;

class ProcessCapture;

// One sink input that is listened to. Its callbacks come on the audio thread.
class InputTap final : public CaptureListener {
 public:
  InputTap(ProcessCapture* owner, const PulseInput& input, const ProcessId& process,
           std::string device_id)
      : index(input.index),
        process(process),
        sink(input.sink),
        device_id(std::move(device_id)),
        owner_(*owner) {}

  void on_packet(const Packet& packet) noexcept override;
  void on_idle() noexcept override { tap->idle(); }
  void on_lost(const Error&) noexcept override;

  const uint32_t index;
  const ProcessId process;
  uint32_t sink;  // where it plays
  std::string device_id;
  std::shared_ptr<TapSum::Tap> tap;
  std::unique_ptr<Connection> connection;  // null: the host's
  std::unique_ptr<Stream> stream;
  int64_t playing_since = kNoTime;  // as far as was seen; kNoTime: before anybody looked
  bool told = false;                // that it is heard
  std::atomic<int64_t> heard_at{kNoTime};
  std::atomic<bool> lost{false};

 private:
  ProcessCapture& owner_;
};

// A thread of its own follows the streams: it waits for the server's answers, which neither the
// audio thread nor, for as long as the stream runs, the control thread can.
class ProcessCapture final : public ProcessStream,
                             private TapSum::Output,
                             private PulseEvents::InputListener {
 public:
  ProcessCapture(Connection* connection, PulseEvents* events, TapSums* sums,
                 const ProcessCaptureRequest& request, CaptureListener* listener,
                 TapListener* taps);
  ~ProcessCapture() override { stop(); }

  // Control thread.
  const StreamInfo& info() const override { return info_; }
  Error start() override;
  void stop() override;
  void select(const ProcessSelection& selection) override;
  // Any thread. Without meters: see EndpointQuery.
  EndpointState endpoint() const noexcept override { return programs_.load(); }

  void look_again() noexcept {  // any thread
    changed_.store(true, std::memory_order_release);
    if (Clock::Task* task = follower_shown_.load(std::memory_order_acquire)) task->wake();
  }

 private:
  // The sum's audio thread.
  void on_sum(const float* samples, uint32_t frames, int64_t position,
              int64_t time) noexcept override;
  void on_inputs_changed() noexcept override { look_again(); }  // audio thread, under the lock

  // The follower's thread.
  int64_t step(int64_t now);
  Error query(std::vector<PulseInput>* inputs, std::vector<PulseDevice>* sinks);
  Error follow(int64_t now);
  void attach(const PulseInput& input, const PulseDevice& sink, const ProcessId& process,
              int64_t playing_since);
  void detach(InputTap* tap);
  void move(InputTap* tap, const PulseDevice& sink, int64_t now);
  void tell(TapEvent::Kind kind, const InputTap& tap, int64_t time, int64_t missed_ns = 0);

  Connection& connection_;
  PulseEvents& events_;
  CaptureListener& listener_;
  TapListener& taps_listener_;
  StreamInfo info_;
  TapSum sum_;

  std::mutex selecting_;
  ProcessSelection selected_;  // as asked last
  std::atomic<bool> changed_{true};

  // The follower's.
  const std::unique_ptr<ProcessTable> table_ = system_processes();
  ProcessSelector selector_;
  std::vector<std::unique_ptr<InputTap>> taps_;
  std::map<uint32_t, int64_t> playing_since_;  // of inputs that are not halted
  Shown<EndpointState> programs_;
  bool looked_ = false;
  int64_t changed_at_ = 0;
  bool over_ = false;

  std::atomic<Clock::Task*> follower_shown_{nullptr};
  std::unique_ptr<Clock::Task> follower_;
};

void InputTap::on_packet(const Packet& packet) noexcept {
  tap->packet(packet.data, packet.frames, packet.position, packet.time, packet.discontinuity);
  if (packet.time == kNoTime || heard_at.load(std::memory_order_relaxed) != kNoTime) return;
  heard_at.store(packet.time, std::memory_order_release);
  owner_.look_again();
}

void InputTap::on_lost(const Error&) noexcept {
  lost.store(true, std::memory_order_release);
  owner_.look_again();
}

ProcessCapture::ProcessCapture(Connection* connection, PulseEvents* events, TapSums* sums,
                               const ProcessCaptureRequest& request, CaptureListener* listener,
                               TapListener* taps)
    : connection_(*connection),
      events_(*events),
      listener_(*listener),
      taps_listener_(*taps),
      sum_(sums, request.preferred.sample_rate, request.preferred.channels, this),
      selected_(request.selection) {
  info_.format = request.preferred;
  info_.format.sample_format = SampleFormat::kF32;
  info_.period_frames = request.period_frames;
  info_.realtime = connection->realtime();
}

Error ProcessCapture::start() {
  if (follower_) return Error::none();
  {
    Connection::Lock lock(connection_);
    if (!connection_.alive()) return connection_.lost_error();
    events_.add(this);
  }
  sum_.start();
  changed_.store(true);
  follower_ = connection_.clock().start("patchcord-follow", Priority::kNormal,
                                        [this](int64_t now) { return step(now); });
  follower_shown_.store(follower_.get());
  look_again();
  return Error::none();
}

void ProcessCapture::stop() {
  if (!follower_) return;
  {
    // Whoever wakes the follower does so under the lock, or is a stream that ends below.
    Connection::Lock lock(connection_);
    events_.remove(this);
    follower_shown_.store(nullptr);
  }
  follower_.reset();
  sum_.stop();
  for (auto& tap : taps_) tap->stream.reset();
  taps_.clear();
}

void ProcessCapture::select(const ProcessSelection& selection) {
  {
    std::lock_guard<std::mutex> lock(selecting_);
    selected_ = selection;
  }
  look_again();
}

void ProcessCapture::on_sum(const float* samples, uint32_t frames, int64_t position,
                            int64_t time) noexcept {
  Packet packet;
  packet.data = samples;
  packet.frames = frames;
  packet.position = position;
  packet.time = time;
  listener_.on_packet(packet);
}

int64_t ProcessCapture::step(int64_t now) {
  if (over_) return kNever;
  if (changed_.exchange(false, std::memory_order_acq_rel)) {
    changed_at_ = now;
    {
      std::lock_guard<std::mutex> lock(selecting_);
      selector_.select(selected_);
    }
    if (const Error error = follow(now)) {
      over_ = true;
      sum_.stop();
      listener_.on_lost(error);
      return kNever;
    }
  }
  for (auto& tap : taps_) {
    const int64_t heard_at = tap->heard_at.load(std::memory_order_acquire);
    if (tap->told || heard_at == kNoTime) continue;
    tap->told = true;
    const int64_t since = tap->playing_since;
    tell(TapEvent::Kind::kAttached, *tap, heard_at,
         since == kNoTime ? 0 : std::max<int64_t>(0, heard_at - since));
  }
  for (const ProcessId& process : selector_.take_gone(*table_)) {
    TapEvent event;
    event.kind = TapEvent::Kind::kGone;
    event.process = process;
    event.time = now;
    taps_listener_.on_tap(event);
  }
  return now + (now - changed_at_ < kNews ? kLook : kSeldomLook);
}

Error ProcessCapture::query(std::vector<PulseInput>* inputs, std::vector<PulseDevice>* sinks) {
  Connection::Lock lock(connection_);
  Connection::Deadline deadline(&connection_, kCallLimit);
  Error error = query_inputs(&connection_, deadline, inputs);
  return error ? error : query_devices(&connection_, Flow::kOutput, deadline, sinks);
}

Error ProcessCapture::follow(int64_t now) {
  std::vector<PulseInput> inputs;
  std::vector<PulseDevice> sinks;
  if (Error error = query(&inputs, &sinks)) return error;

  struct Wanted {
    const PulseInput* input;
    const PulseDevice* sink;
    ProcessId process;
  };
  std::vector<Wanted> wanted;
  std::map<uint32_t, int64_t> playing_since;
  ProgramState programs;
  for (const PulseInput& input : inputs) {
    if (!input.corked) {
      const auto known = playing_since_.find(input.index);
      playing_since[input.index] =
          known != playing_since_.end() ? known->second : (looked_ ? now : kNoTime);
    }
    const Ancestry process = process_of(*table_, input);
    if (!selector_.wants(process)) continue;
    programs.add(!input.corked, input.muted, input.volume, kUnknownLevel);
    for (const PulseDevice& sink : sinks) {
      if (sink.index == input.sink) wanted.push_back({&input, &sink, process.front().id});
    }
  }
  playing_since_ = std::move(playing_since);
  programs_.store(programs.get());
  looked_ = true;

  for (auto& tap : taps_) {
    const auto now_wanted = std::find_if(wanted.begin(), wanted.end(), [&](const Wanted& one) {
      return one.input->index == tap->index;
    });
    if (!tap->lost.load(std::memory_order_acquire) && now_wanted != wanted.end()) {
      if (now_wanted->input->sink == tap->sink) continue;
      // PipeWire has taken the tap along with its stream; a new one there would hear nothing.
      if (connection_.on_pipewire()) {
        move(tap.get(), *now_wanted->sink, now);
        continue;
      }
    }
    detach(tap.get());
    tap.reset();
  }
  taps_.erase(std::remove(taps_.begin(), taps_.end(), nullptr), taps_.end());
  for (const Wanted& one : wanted) {
    const bool tapped = std::any_of(taps_.begin(), taps_.end(), [&](const auto& tap) {
      return tap->index == one.input->index;
    });
    if (tapped) continue;
    const auto since = playing_since_.find(one.input->index);
    attach(*one.input, *one.sink, one.process, since == playing_since_.end() ? now : since->second);
  }
  return Error::none();
}

void ProcessCapture::attach(const PulseInput& input, const PulseDevice& sink,
                            const ProcessId& process, int64_t playing_since) {
  auto tap = std::make_unique<InputTap>(this, input, process, sink.name);
  tap->playing_since = playing_since;
  Error error;
  // PipeWire 0.3.65 serves the third recording of a connection, and those after it, in bursts up to
  // a second apart. It has no limit of connections that these would come near.
  if (connection_.on_pipewire()) error = Connection::open(&tap->connection);
  Connection* connection = tap->connection ? tap->connection.get() : &connection_;
  if (!error) {
    const uint32_t fragment_ms = connection_.on_pipewire() ? kPipewireFragmentMs : kPulseFragmentMs;
    error = open_pulse_input_capture(connection, sink, input.index, fragment_ms, tap.get(),
                                     &tap->stream);
  }
  if (!error) {
    tap->tap = sum_.add(tap->stream->info().format);
    error = tap->stream->start();
  }
  if (!error) {
    taps_.push_back(std::move(tap));
    return;
  }
  if (tap->tap) {
    tap->stream.reset();
    sum_.end(tap->tap);
  }
  // It has ended, or moved, since it was listed: another event follows.
  if (error.code == ErrorCode::kDeviceNotFound || error.code == ErrorCode::kDeviceLost) return;
  TapEvent event;
  event.kind = TapEvent::Kind::kFailed;
  event.process = process;
  event.device_id = sink.name;
  event.error = std::move(error);
  taps_listener_.on_tap(event);
}

void ProcessCapture::detach(InputTap* tap) {
  tap->stream.reset();
  sum_.end(tap->tap);
  if (tap->told) tell(TapEvent::Kind::kDetached, *tap, connection_.clock().now());
}

void ProcessCapture::move(InputTap* tap, const PulseDevice& sink, int64_t now) {
  if (tap->told) tell(TapEvent::Kind::kDetached, *tap, now);
  tap->sink = sink.index;
  tap->device_id = sink.name;
  if (tap->told) tell(TapEvent::Kind::kAttached, *tap, now);
}

void ProcessCapture::tell(TapEvent::Kind kind, const InputTap& tap, int64_t time,
                          int64_t missed_ns) {
  TapEvent event;
  event.kind = kind;
  event.process = tap.process;
  event.device_id = tap.device_id;
  event.time = time;
  event.missed_ns = missed_ns;
  taps_listener_.on_tap(event);
}

}  // namespace

Error open_pulse_processes(Connection* connection, PulseEvents* events, TapSums* sums,
                           const ProcessCaptureRequest& request, CaptureListener* listener,
                           TapListener* taps, std::unique_ptr<ProcessStream>* stream) {
  *stream = std::make_unique<ProcessCapture>(connection, events, sums, request, listener, taps);
  return Error::none();
}

}  // namespace pulse
}  // namespace patchcord
