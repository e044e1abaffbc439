#include "pulse_capture.h"

#include <optional>
#include <utility>

#include "endpoint_query.h"

namespace patchcord {
namespace pulse {
namespace {

// The contract allows at most 20 ms without a call.
constexpr int64_t kIdleAfter = IdleWatch::kAfter;
constexpr int64_t kNoAnswer = 100 * kNsPerMs;
// If the reports never agree, recorded audio is delivered after that time anyway.
constexpr int64_t kLongestDoubt = 500 * kNsPerMs;

// Seconds of audio read in one turn. Linux ends a process whose real-time thread computes for 200
// ms without a wait (RLIMIT_RTTIME, as RealtimeKit demands it).
constexpr int64_t kAtOnce = 1;

// A server that ends or refuses one connection may still serve the others.
Error of_own_connection(Error error) {
  if (error.code == ErrorCode::kBackendUnavailable) error.code = ErrorCode::kBackend;
  return error;
}

// `own` stays null if the recording may share the host's connection.
Error connect_alone(const Connection& host, int64_t limit, const std::atomic<bool>* interrupted,
                    std::unique_ptr<Connection>* own) {
  if (!host.traits().recordings_need_connections) return Error::none();
  return Connection::open(Connection::Purpose::kStreams, host.server(), own, limit, interrupted);
}

class PulseCapture final : public PulseStream, private IdleWatch::Member {
 public:
  PulseCapture(Connection* connection, CaptureListener* listener,
               std::unique_ptr<Connection> own = nullptr)
      : PulseStream(connection, Flow::kInput),
        own_connection_(std::move(own)),
        listener_(*listener),
        endpoint_(connection) {}
  ~PulseCapture() override { end(); }

  Error open(const PulseDevice& device, const CaptureRequest& request);
  Error open_input(const InputCapture& request);
  Error start() override;
  void stop() override;
  EndpointState endpoint() const noexcept override { return endpoint_.state(); }

 private:
  void lost(const Error& error) noexcept override;
  void timing(int64_t time, double queued, double device) noexcept override;
  void no_timing() noexcept override;
  Error connect(uint32_t period_frames, int flags, const Connection::Deadline& deadline);
  void deliver() noexcept;
  bool waits_for_reports() const noexcept;
  void begin_timing() noexcept {
    timing_.emplace(info_.format.sample_rate, connection_.traits().dropped_ns);
    restart_timing();
    heard_at_ = connection_.clock().now();
  }
  int64_t look(int64_t now) noexcept override;
  void end_looks() noexcept;
  static void on_readable(pa_stream*, size_t, void* self);
  static void on_answer(pa_stream*, int success, void* self);

  const std::unique_ptr<Connection> own_connection_;  // null: the host's
  CaptureListener& listener_;
  EndpointQuery endpoint_;
  std::optional<StreamTiming> timing_;
  int64_t heard_at_ = 0;            // when the server delivered the newest packet
  int64_t doubted_at_ = 0;          // when it did so after a standstill
  int64_t look_at_ = 0;             // when to check whether packets still arrive
  pa_operation* answer_ = nullptr;  // the query whether there is really nothing
  bool loopback_ = false;
  bool of_device_ = true;  // not of one program: then the device's state is read
  bool quiet_ = false;     // no packet has arrived since that query
  bool idle_ = false;      // no packet has arrived since the listener got on_idle()
  bool behind_ = false;    // there is more to read than one turn allows
  int64_t question_at_ = 0;
  int64_t position_ = 0;  // frames read, or known to be lost
  // of these, frames that the server dropped and the listener does not know of
  int64_t dropped_ = 0;
  bool unstamped_ = false;  // reports do not work here: packets have no times
};

Error PulseCapture::open(const PulseDevice& device, const CaptureRequest& request) {
  Connection::Lock lock(connection_);
  Connection::Deadline deadline(&connection_, kCallLimit);
  loopback_ = request.kind == CaptureRequest::Kind::kLoopback;
  info_.device_id = request.device_id;
  source_or_sink_ = loopback_ ? device.monitor : device.name;
  Error error = create(loopback_ ? "Loopback" : "Microphone", device, request.options);
  if (error) return error;
  error = connect(static_cast<uint32_t>(uint64_t{request.period_frames} * info_.format.sample_rate /
                                        request.preferred.sample_rate),
                  PA_STREAM_DONT_MOVE, deadline);
  if (!error && request.options.low_latency) {
    grant_low_latency(info_.format.sample_rate * kUsualPeriodMs / 1000);
  }
  return error;
}

// Records the part of a sink's monitor that comes from one stream. If that stream moves to another
// sink, PulseAudio ends this recording; PipeWire moves it too.
Error PulseCapture::open_input(const InputCapture& request) {
  Connection::Lock lock(connection_);
  Connection::Deadline deadline(&connection_, request.limit, request.interrupted);
  const PulseDevice& sink = request.sink;
  loopback_ = true;
  of_device_ = false;
  info_.device_id = sink.name;
  source_or_sink_ = sink.monitor;
  pinned_ = false;  // PipeWire connects it to the other stream, not to the monitor
  if (Error error = create("Program", sink, {})) return error;
  if (libpulse().pa_stream_set_monitor_stream(stream_, request.input) != 0) {
    return connection_.last_error("pa_stream_set_monitor_stream",
                                  "A program's stream could not be captured");
  }
  return connect(info_.format.sample_rate * request.fragment_ms / 1000, 0, deadline);
}

Error PulseCapture::connect(uint32_t period_frames, int flags,
                            const Connection::Deadline& deadline) {
  libpulse().pa_stream_set_read_callback(stream_, on_readable, this);
  info_.period_frames = period_frames;
  pa_buffer_attr buffer{kServerChooses, kServerChooses, kServerChooses, kServerChooses,
                        info_.period_frames * frame_bytes_};
  const int connected = libpulse().pa_stream_connect_record(
      stream_, source_or_sink_.c_str(), &buffer,
      static_cast<pa_stream_flags_t>(PA_STREAM_START_CORKED | PA_STREAM_START_UNMUTED |
                                     PA_STREAM_ADJUST_LATENCY | flags));
  if (Error error = await_ready(connected, "pa_stream_connect_record", deadline)) return error;
  // The library has no call for the initial volume of a recording.
  const pa_cvolume volume = full_volume();
  connection_.forget(libpulse().pa_context_set_source_output_volume(
      connection_.context(), libpulse().pa_stream_get_index(stream_), &volume, nullptr, nullptr));

  const pa_buffer_attr* granted = libpulse().pa_stream_get_buffer_attr(stream_);
  info_.period_frames = granted->fragsize / frame_bytes_;
  info_.buffer_frames = granted->maxlength / frame_bytes_;
  return Error::none();
}

Error PulseCapture::start() {
  Connection::Lock lock(connection_);
  if (running_) return Error::none();
  // Packets from before the last stop are older than this start.
  if (!lost_) connection_.forget(libpulse().pa_stream_flush(stream_, nullptr, nullptr));
  if (Error error = set_corked(false)) return error;
  begin_timing();
  if (of_device_) {
    endpoint_.begin(info_.device_id, loopback_ ? Flow::kOutput : Flow::kInput,
                    libpulse().pa_stream_get_index(stream_));
  }
  running_ = true;
  look_at_ = connection_.clock().now() + kIdleAfter;
  connection_.idle_watch().add(this);
  return Error::none();
}

void PulseCapture::stop() {
  Connection::Lock lock(connection_);
  if (!running_) return;
  running_ = false;
  end_looks();
  set_corked(true);
}

void PulseCapture::lost(const Error& error) noexcept {
  end_looks();
  listener_.on_lost(own_connection_ && !of_device_ ? of_own_connection(error) : error);
}

void PulseCapture::timing(int64_t time, double queued, double device) noexcept {
  const int64_t dropped = timing_->observe(time, static_cast<double>(position_) + queued + device);
  position_ += dropped;
  dropped_ += dropped;
  // While in doubt, the next packet requests the next report. Reports in direct succession would
  // agree although the server is still delivering what it missed.
  if (!timing_->known() || !waits_for_reports()) deliver();
}

void PulseCapture::no_timing() noexcept {
  unstamped_ = true;
  deliver();
}

void PulseCapture::on_readable(pa_stream*, size_t, void* self) {
  auto* capture = static_cast<PulseCapture*>(self);
  const int64_t now = capture->connection_.clock().now();
  if (capture->running_ && capture->timing_->known() && now - capture->heard_at_ > kStandstill) {
    capture->timing_->doubt();
    capture->doubted_at_ = now;
    capture->restart_timing();
  }
  capture->heard_at_ = now;
  capture->deliver();
}

// The first packet places the stream in time, and so does the first one after the server stood
// still; it waits in libpulse for reports. The reports are requested only now: before there is data
// the server counts from the request, although an idle null sink may sleep for 2 s more.
bool PulseCapture::waits_for_reports() const noexcept {
  if (!running_ || unstamped_) return false;
  if (!timing_->known()) return true;
  return timing_->doubted() && connection_.clock().now() - doubted_at_ < kLongestDoubt;
}

void PulseCapture::deliver() noexcept {
  const LibPulse& pulse = libpulse();
  if (waits_for_reports()) {
    ask_timing();
    return;
  }
  bool delivered = false;
  const int64_t enough = position_ + kAtOnce * info_.format.sample_rate;
  for (;;) {
    behind_ = position_ >= enough;
    if (behind_) break;
    const void* data = nullptr;
    size_t bytes = 0;
    if (pulse.pa_stream_peek(stream_, &data, &bytes) != 0 || bytes == 0) break;
    const uint32_t frames = static_cast<uint32_t>(bytes / frame_bytes_);
    // Without data it is a hole in the server's queue: the next packet's position shows it.
    if (data && running_) {
      Packet packet;
      packet.data = data;
      packet.frames = frames;
      packet.position = position_;
      packet.time = timing_->take_stamp(position_);
      // A packet after silence is placed by its time.
      if (idle_ && packet.time == kNoTime) packet.time = timing_->time_of(position_);
      const bool was_idle = std::exchange(idle_, false);
      quiet_ = false;
      listener_.on_packet(packet);
      // A loopback delivered silence meanwhile, although something played.
      const int64_t dropped = std::exchange(dropped_, 0);
      if (was_idle && loopback_ && dropped > 0) {
        listener_.on_replaced(packet.position - dropped, static_cast<uint64_t>(dropped));
      }
      delivered = true;
    }
    position_ += frames;
    pulse.pa_stream_drop(stream_);
  }
  if (!delivered || !running_) return;
  look_at_ = connection_.clock().now() + kIdleAfter;
  ask_timing();
  endpoint_.ask();
}

// After a stall of this thread, or of the server, the check is due before the waiting packets have
// been read. The answer to a query comes after all of those; a server that does not answer counts
// as silent. A missing answer counts only while this thread runs, and an answer from before a stall
// says nothing.
int64_t PulseCapture::look(int64_t now) noexcept {
  if (behind_) {
    deliver();
    return behind_ ? now + kNsPerMs : look_at_;
  }
  if (now < look_at_) return look_at_;
  if (now - look_at_ > kNoAnswer) {
    question_at_ = now;
    quiet_ = false;
  }
  if (!answer_) {
    quiet_ = true;
    question_at_ = now;
    answer_ = libpulse().pa_stream_update_timing_info(stream_, on_answer, this);
  } else if (now - question_at_ > kNoAnswer) {
    idle_ = true;
    listener_.on_unanswered();
  }
  endpoint_.ask();
  look_at_ = now + kIdleAfter;
  return look_at_;
}

void PulseCapture::on_answer(pa_stream* stream, int, void* self) {
  auto* capture = static_cast<PulseCapture*>(self);
  capture->connection_.forget(std::exchange(capture->answer_, nullptr));
  const int64_t took = capture->connection_.clock().now() - capture->question_at_;
  if (!capture->running_ || !capture->quiet_ || took > kNoAnswer) return;
  // it waits for its first timestamp
  if (capture->libpulse().pa_stream_readable_size(stream) > 0) return;
  // A suspended device plays nothing, so nothing was lost.
  const bool suspended =
      capture->loopback_ && capture->libpulse().pa_stream_is_suspended(stream) == 1;
  if (suspended) capture->begin_timing();
  capture->idle_ = true;
  capture->listener_.on_idle(suspended);
}

void PulseCapture::end_looks() noexcept {
  endpoint_.end();
  connection_.idle_watch().remove(this);
  if (answer_) libpulse().pa_operation_cancel(answer_);
  connection_.forget(std::exchange(answer_, nullptr));
}

}  // namespace

Error open_pulse_capture(Connection* connection, const PulseDevice& device,
                         const CaptureRequest& request, CaptureListener* listener,
                         std::unique_ptr<Stream>* stream) {
  std::unique_ptr<Connection> own;
  if (Error error = connect_alone(*connection, kCallLimit, nullptr, &own)) return error;
  Connection* const used = own ? own.get() : connection;
  auto capture = std::make_unique<PulseCapture>(used, listener, std::move(own));
  if (Error error = capture->open(device, request)) return error;
  *stream = std::move(capture);
  return Error::none();
}

Error open_pulse_input_capture(Connection* connection, const InputCapture& request,
                               CaptureListener* listener, std::unique_ptr<Stream>* stream) {
  std::unique_ptr<Connection> own;
  Error error = connect_alone(*connection, request.limit, request.interrupted, &own);
  if (error) return of_own_connection(std::move(error));
  const bool alone = own != nullptr;
  Connection* const used = alone ? own.get() : connection;
  auto capture = std::make_unique<PulseCapture>(used, listener, std::move(own));
  if ((error = capture->open_input(request))) {
    return alone ? of_own_connection(std::move(error)) : error;
  }
  *stream = std::move(capture);
  return error;
}

}  // namespace pulse
}  // namespace patchcord
