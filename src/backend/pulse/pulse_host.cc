#include "pulse_host.h"

#include <utility>

#include "program_streams.h"
#include "pulse_cable.h"
#include "pulse_capture.h"
#include "pulse_connection.h"
#include "pulse_devices.h"
#include "pulse_events.h"
#include "pulse_meters.h"
#include "pulse_moves.h"
#include "pulse_render.h"
#include "pulse_taps.h"

namespace patchcord {
namespace pulse {
namespace {

class PulseHost final : public Host, private Connection::LossListener {
 public:
  explicit PulseHost(std::unique_ptr<Connection> connection)
      : connection_(std::move(connection)),
        events_(std::make_unique<PulseEvents>(connection_.get())),
        meters_(std::make_unique<PulseMeters>(connection_.get())),
        cables_(connection_.get(), events_.get()) {
    cables_.remove_orphans();
    Connection::Lock lock(*connection_);
    connection_->set_loss_listener(this);
  }
  ~PulseHost() {
    watch(nullptr);
    Connection::Lock lock(*connection_);
    connection_->set_loss_listener(nullptr);
    events_->set_sink_listener(nullptr);
    meters_.reset();
    events_.reset();
  }

  Clock& clock() override { return connection_->clock(); }

  Error list_devices(std::vector<DeviceInfo>* devices) override {
    return list_pulse_devices(connection_.get(), devices);
  }

  Error open_capture(const CaptureRequest& request, CaptureListener* listener,
                     std::unique_ptr<Stream>* stream) override {
    const bool loopback = request.kind == CaptureRequest::Kind::kLoopback;
    PulseDevice device;
    Error error = prepare(loopback ? Flow::kOutput : Flow::kInput, request.device_id, &device);
    return error ? error : open_pulse_capture(streams_.get(), device, request, listener, stream);
  }

  Error open_render(const RenderRequest& request, RenderListener* listener,
                    std::unique_ptr<Stream>* stream) override {
    PulseDevice device;
    Error error = prepare(Flow::kOutput, request.device_id, &device);
    return error ? error : open_pulse_render(streams_.get(), device, request, listener, stream);
  }

  Error list_processes(const ProcessQuery& query, std::vector<ProcessInfo>* processes) override {
    std::vector<ProgramStream> streams;
    std::vector<PulseDevice> devices;
    {
      Connection::Lock lock(*connection_);
      Connection::Deadline deadline(connection_.get(), kCallLimit);
      Error error = query_streams(connection_.get(), query.flow, deadline, &streams);
      if (!error) error = query_devices(connection_.get(), query.flow, deadline, &devices);
      if (error) return error;
      if (query.flow == Flow::kInput) keep_microphones(devices, &streams);
      // The level of a recording could only be measured by another recording.
      if (query.levels && query.flow == Flow::kOutput) {
        const auto peaks = meters_->measure(streams, devices, deadline);
        for (ProgramStream& stream : streams) {
          const auto peak = peaks.find(stream.index);
          if (peak != peaks.end()) stream.level = peak->second;
        }
      }
    }
    *processes = to_processes(*processes_, streams, devices, query.running);
    return Error::none();
  }

  // Servers have no meters, and to measure costs a stream for each: whoever runs counts.
  Error list_playing(std::vector<std::string>* output_ids) override {
    std::vector<ProgramStream> streams;
    std::vector<PulseDevice> sinks;
    {
      Connection::Lock lock(*connection_);
      Connection::Deadline deadline(connection_.get(), kCallLimit);
      Error error = query_streams(connection_.get(), Flow::kOutput, deadline, &streams);
      if (!error) error = query_devices(connection_.get(), Flow::kOutput, deadline, &sinks);
      if (error) return error;
    }
    output_ids->clear();
    for (const ProgramStream& stream : streams) {
      if (stream.corked || stream.muted || stream.volume == 0) continue;
      if (process_of(*processes_, stream).front().id.pid == processes_->own_pid()) continue;
      for (const PulseDevice& sink : sinks) {
        if (sink.index == stream.device) output_ids->push_back(sink.name);
      }
    }
    return Error::none();
  }

  Error open_processes(const ProcessCaptureRequest& request, CaptureListener* listener,
                       TapListener* taps, std::unique_ptr<ProcessStream>* stream) override {
    Error error = connect_streams(kCallLimit);
    if (error) return error;
    *stream = follow_processes(make_pulse_taps(connection_.get(), streams_.get(), events_.get()),
                               &tap_sums_, request, listener, taps);
    return error;
  }

  void watch(DeviceListener* listener) override {
    Connection::Lock lock(*connection_);
    events_->set_listener(listener);
  }

  bool makes_cables() const override { return true; }
  Error make_cable(const std::string& name, const Format& format, Cable* cable) override {
    return cables_.make(name, format, cable);
  }
  Error make_speaker(const std::string& name, const Format& format,
                     std::string* output_id) override {
    return cables_.make_speaker(name, format, output_id);
  }
  void remove_made(const std::string& output_id) override { cables_.remove(output_id); }
  Error move_processes(const std::vector<ProcessId>& processes, const std::string& output_id,
                       std::vector<ProcessId>* moved) override {
    return pulse::move_processes(connection_.get(), *processes_, processes, output_id, moved);
  }
  Error send_strangers_away(const std::string& output_id,
                            std::vector<std::string>* moved) override {
    if (!cables_.owns(output_id)) return Error::none();
    std::vector<ProgramStream> strangers;
    Error error =
        query_players(connection_.get(), *processes_, output_id, Whose::kStrangers, &strangers);
    if (error || strangers.empty()) return error;
    for (const ProgramStream& stranger : strangers) {
      moved->push_back(stranger.application.empty() ? stranger.binary : stranger.application);
    }
    return cables_.move_elsewhere(strangers);
  }
  Error child_environment(const std::string& output_id, const std::string& input_id,
                          ChildEnvironment* variables) override {
    // In the child, libpulse itself reads these. If this process was given a server by its
    // environment, as in a container, a child without that variable would find another one.
    *variables = {{"PULSE_SERVER", connection_->server()}};
    if (!output_id.empty()) variables->push_back({"PULSE_SINK", output_id});
    if (!input_id.empty()) variables->push_back({"PULSE_SOURCE", input_id});
    return Error::none();
  }
  Error ask_hearing(const std::string& render_id, const std::string& microphone_id,
                    Hearing* hearing) override {
    Error error = ask_pulse_hearing(connection_.get(), render_id, microphone_id, hearing);
    std::vector<ProgramStream> own;
    if (!error) error = query_players(connection_.get(), *processes_, render_id, Whose::kOwn, &own);
    for (const ProgramStream& input : own) {
      hearing->weaken(Hearing::kOwnStream, input.muted ? 0 : input.volume);
    }
    return error;
  }

 private:
  // The answering thread, under the lock.
  void on_connection_lost(const Error& error) noexcept override { events_->lost(error); }

  // Gets the parts of a stream: its device, as the server describes it, and the streams'
  // connection.
  Error prepare(Flow flow, const std::string& id, PulseDevice* device) {
    const int64_t end = clock().now() + kCallLimit;
    {
      Connection::Lock lock(*connection_);
      const Connection::Deadline deadline(connection_.get(), kCallLimit);
      if (Error error = query_device(connection_.get(), flow, id, deadline, device)) return error;
    }
    return connect_streams(end - clock().now());
  }

  // Connects at the first use, to the server that answers the questions, because the devices belong
  // to that server. PULSE_SERVER may name another one by now. If a server ended only this
  // connection, the host gives it up: its streams keep it until they are destroyed, and another
  // host replaces this one.
  Error connect_streams(int64_t limit_ns) {
    if (!streams_) {
      return Connection::open(Connection::Purpose::kStreams, connection_->server(), &streams_,
                              limit_ns);
    }
    Error error;
    {
      Connection::Lock lock(*streams_);
      if (!streams_->alive()) error = streams_->lost_error();
    }
    if (error) {
      Connection::Lock lock(*connection_);
      events_->lost(error);
    }
    return error;
  }

  std::unique_ptr<Connection> connection_;  // for queries
  std::unique_ptr<Connection> streams_;     // null before the first stream
  std::unique_ptr<PulseEvents> events_;
  std::unique_ptr<PulseMeters> meters_;
  TapSums tap_sums_{connection_->clock()};
  PulseCables cables_;
  const std::unique_ptr<ProcessTable> processes_ = system_processes();
};

}  // namespace
}  // namespace pulse

Error open_pulse_host(std::unique_ptr<Host>* host) {
  std::unique_ptr<pulse::Connection> connection;
  using pulse::Connection;
  if (Error error = Connection::open(Connection::Purpose::kQuestions, {}, &connection))
    return error;
  *host = std::make_unique<pulse::PulseHost>(std::move(connection));
  return Error::none();
}

}  // namespace patchcord
