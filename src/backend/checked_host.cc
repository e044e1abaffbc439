#include "checked_host.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

namespace patchcord {
namespace {

// The calls of one stream so far. The calls of its listener come from other threads than those of
// its methods.
class StreamRules {
 public:
  explicit StreamRules(ReportViolation report) : report_(report) {}

  void start() {
    require(!started_.exchange(true), "a stream is started once");
    require(!stopped_, "a stream is not started after stop()");
  }
  void stopped() { stopped_ = true; }

  // One call of the listener.
  class Call {
   public:
    explicit Call(StreamRules* rules) : rules_(*rules) {
      rules_.require(rules_.calls_.fetch_add(1) == 0, "calls for one stream never overlap");
      rules_.require(rules_.started_, "a listener is called after start()");
      rules_.require(!rules_.stopped_, "no call comes after stop() has returned");
      rules_.require(!rules_.lost_, "on_lost is the last call");
    }
    ~Call() { rules_.calls_.fetch_sub(1); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    StreamRules& rules_;
  };
  // on_lost may come from another thread than the rest.
  void lose(const Error& error) {
    require(started_, "a loss before start() is what start() returns");
    require(!stopped_, "no call comes after stop() has returned");
    require(!lost_.exchange(true), "on_lost comes once");
    require(static_cast<bool>(error), "a loss says why");
  }

  void require(bool holds, const char* rule) const {
    if (!holds) report_(rule);
  }

 private:
  const ReportViolation report_;
  std::atomic<bool> started_{false}, stopped_{false}, lost_{false};
  std::atomic<int> calls_{0};
};

class CheckedCapture final : public CaptureListener {
 public:
  CheckedCapture(CaptureListener* listener, ReportViolation report)
      : rules(report), listener_(*listener) {}

  void on_packet(const Packet& packet) noexcept override {
    const StreamRules::Call call(&rules);
    rules.require(packet.frames > 0, "a packet has frames");
    rules.require(packet.position >= kNoPosition, "a position is kNoPosition or not negative");
    if (packet.position != kNoPosition) {
      rules.require(packet.position >= position_, "a position never goes back");
      position_ = packet.position;
    }
    listener_.on_packet(packet);
  }
  void on_idle(bool quiet) noexcept override {
    const StreamRules::Call call(&rules);
    listener_.on_idle(quiet);
  }
  void on_unanswered() noexcept override {
    const StreamRules::Call call(&rules);
    listener_.on_unanswered();
  }
  void on_replaced(int64_t position, uint64_t frames) noexcept override {
    const StreamRules::Call call(&rules);
    listener_.on_replaced(position, frames);
  }
  bool live() const noexcept override { return listener_.live(); }
  void on_lost(const Error& error) noexcept override {
    rules.lose(error);
    listener_.on_lost(error);
  }

  StreamRules rules;

 private:
  CaptureListener& listener_;
  int64_t position_ = 0;
};

class CheckedRender final : public RenderListener {
 public:
  CheckedRender(RenderListener* listener, ReportViolation report)
      : rules(report), listener_(*listener) {}

  void on_render(void* data, uint32_t frames, int64_t play_time) noexcept override {
    const StreamRules::Call call(&rules);
    rules.require(data != nullptr && frames > 0, "a request has frames and a place for them");
    listener_.on_render(data, frames, play_time);
  }
  void on_underrun(uint32_t frames, bool here) noexcept override {
    const StreamRules::Call call(&rules);
    listener_.on_underrun(frames, here);
  }
  void on_lost(const Error& error) noexcept override {
    rules.lose(error);
    listener_.on_lost(error);
  }

  StreamRules rules;

 private:
  RenderListener& listener_;
};

template <typename Interface, typename Listener>
class CheckedStream : public Interface {
 public:
  CheckedStream(std::unique_ptr<Listener> listener, std::unique_ptr<Interface> stream)
      : listener_(std::move(listener)), stream_(std::move(stream)) {}
  ~CheckedStream() override { CheckedStream::stop(); }

  const StreamInfo& info() const override { return stream_->info(); }
  Error start() override {
    listener_->rules.start();
    return stream_->start();
  }
  void stop() override {
    stream_->stop();
    listener_->rules.stopped();
  }
  EndpointState endpoint() const noexcept override { return stream_->endpoint(); }

 protected:
  const std::unique_ptr<Listener> listener_;  // outlives the stream that calls it
  const std::unique_ptr<Interface> stream_;
};

class CheckedProcessStream final : public CheckedStream<ProcessStream, CheckedCapture> {
 public:
  using CheckedStream::CheckedStream;
  void select(const ProcessSelection& selection) override { stream_->select(selection); }
};

class CheckedHost final : public Host {
 public:
  CheckedHost(std::unique_ptr<Host> host, ReportViolation report)
      : host_(std::move(host)), report_(report) {}

  Clock& clock() override { return host_->clock(); }

  Error list_devices(std::vector<DeviceInfo>* devices) override {
    Error error = host_->list_devices(devices);
    for (const DeviceInfo& device : *devices) {
      if (error) break;
      require(!device.id.empty(), "a device has an id");
      const bool active = device.state == DeviceState::kActive;
      require(!active || device.format.channels > 0, "an active device has channels");
    }
    return error;
  }

  Error open_capture(const CaptureRequest& request, CaptureListener* listener,
                     std::unique_ptr<Stream>* stream) override {
    auto checked = std::make_unique<CheckedCapture>(listener, report_);
    std::unique_ptr<Stream> opened;
    Error error = host_->open_capture(request, checked.get(), &opened);
    return hand_on<CheckedStream<Stream, CheckedCapture>>(std::move(error), std::move(checked),
                                                          std::move(opened), stream);
  }

  Error open_render(const RenderRequest& request, RenderListener* listener,
                    std::unique_ptr<Stream>* stream) override {
    auto checked = std::make_unique<CheckedRender>(listener, report_);
    std::unique_ptr<Stream> opened;
    Error error = host_->open_render(request, checked.get(), &opened);
    return hand_on<CheckedStream<Stream, CheckedRender>>(std::move(error), std::move(checked),
                                                         std::move(opened), stream);
  }

  void watch(DeviceListener* listener) override { host_->watch(listener); }

  Error list_processes(const ProcessQuery& query, std::vector<ProcessInfo>* processes) override {
    return host_->list_processes(query, processes);
  }

  Error list_playing(std::vector<std::string>* output_ids) override {
    return host_->list_playing(output_ids);
  }

  Error open_processes(const ProcessCaptureRequest& request, CaptureListener* listener,
                       TapListener* taps, std::unique_ptr<ProcessStream>* stream) override {
    auto checked = std::make_unique<CheckedCapture>(listener, report_);
    std::unique_ptr<ProcessStream> opened;
    Error error = host_->open_processes(request, checked.get(), taps, &opened);
    return hand_on<CheckedProcessStream>(std::move(error), std::move(checked), std::move(opened),
                                         stream);
  }

  bool makes_cables() const override { return host_->makes_cables(); }
  Error make_cable(const std::string& name, const Format& format, Cable* cable) override {
    Error error = host_->make_cable(name, format, cable);
    require(error || host_->makes_cables(), "who makes cables says so");
    require(error || !cable->render_id.empty(), "a cable has an end to play to");
    return error;
  }
  Error make_speaker(const std::string& name, const Format& format,
                     std::string* output_id) override {
    Error error = host_->make_speaker(name, format, output_id);
    require(error || host_->makes_cables(), "who makes outputs says so");
    require(error || !output_id->empty(), "an output that was made has an id");
    return error;
  }
  void remove_made(const std::string& output_id) override { host_->remove_made(output_id); }
  Error move_processes(const std::vector<ProcessId>& processes, const std::string& output_id,
                       std::vector<ProcessId>* moved) override {
    return host_->move_processes(processes, output_id, moved);
  }
  Error send_strangers_away(const std::string& output_id,
                            std::vector<std::string>* moved) override {
    return host_->send_strangers_away(output_id, moved);
  }
  Error child_environment(const std::string& output_id, const std::string& input_id,
                          ChildEnvironment* variables) override {
    return host_->child_environment(output_id, input_id, variables);
  }
  Error ask_hearing(const std::string& render_id, const std::string& microphone_id,
                    Hearing* hearing) override {
    return host_->ask_hearing(render_id, microphone_id, hearing);
  }

 private:
  template <typename Checked, typename Listener, typename Opened, typename Out>
  Error hand_on(Error error, std::unique_ptr<Listener> listener, std::unique_ptr<Opened> opened,
                Out* stream) {
    require(error ? opened == nullptr : opened != nullptr, "an open gives a stream or an error");
    if (!error && opened) {
      const Format& format = opened->info().format;
      require(format.sample_rate > 0 && format.channels > 0, "a stream has a format");
      *stream = std::make_unique<Checked>(std::move(listener), std::move(opened));
    }
    return error;
  }

  void require(bool holds, const char* rule) const {
    if (!holds) report_(rule);
  }

  const std::unique_ptr<Host> host_;
  const ReportViolation report_;
};

}  // namespace

void abort_on_violation(const char* rule) {
  std::fprintf(stderr, "an audio backend broke its contract: %s\n", rule);
  std::abort();
}

std::unique_ptr<Host> check_contract(std::unique_ptr<Host> host, ReportViolation report) {
  return std::make_unique<CheckedHost>(std::move(host), report);
}

}  // namespace patchcord
