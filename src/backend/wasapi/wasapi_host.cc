#include "wasapi_host.h"

#include <functional>
#include <utility>

#include "announcer.h"
#include "endpoint_loudness.h"
#include "handle.h"
#include "notification_client.h"
#include "system_thread.h"
#include "voicemeeter.h"
#include "wasapi_capture.h"
#include "wasapi_devices.h"
#include "wasapi_render.h"
#include "wasapi_sessions.h"
#include "wasapi_stream.h"
#include "wasapi_taps.h"

namespace patchcord {
namespace {

const char kReaching[] = "reaching the audio system";
// How often the state of sessions is read, after the first request for it. New sessions are
// announced.
constexpr DWORD kSessionLookMs = 250;

// The COM thread of a host: the enumerator and its notifications. Between calls it waits for the
// system.
class Service {
 public:
  using Work = std::function<Error(IMMDeviceEnumerator*)>;

  Service(std::shared_ptr<Announcer> announcer, std::shared_ptr<SessionBoard> sessions)
      : announcer_(std::move(announcer)), sessions_(std::move(sessions)) {}

  void live();  // runs on the COM thread

  // The control thread.
  const Handle& answered() const { return answered_; }
  Error take_answer() { return std::move(answer_); }  // after answered()
  void ask(Work work) {
    work_ = std::move(work);
    SetEvent(asked_.get());
  }
  void quit() { SetEvent(quit_.get()); }

  // For the COM thread.
  Voicemeeter& voicemeeter() { return *voicemeeter_; }
  SessionReader& session_reader() { return *session_reader_; }

 private:
  static CallResult reach(ComPtr<IMMDeviceEnumerator>* enumerator, NotificationClient* client);
  void serve(IMMDeviceEnumerator* enumerator, NotificationClient* client);
  void look_at_sessions(IMMDeviceEnumerator* enumerator);
  void answer(Error error) {
    answer_ = std::move(error);
    SetEvent(answered_.get());
  }

  const std::shared_ptr<Announcer> announcer_;
  const std::shared_ptr<SessionBoard> sessions_;
  Handle quit_{make_latch()};
  Handle asked_{make_pulse()};
  Handle answered_{make_pulse()};
  Work work_;     // set before asked_
  Error answer_;  // set before answered_
  // Used by the COM thread while it lives.
  std::unique_ptr<Voicemeeter> voicemeeter_;
  std::unique_ptr<SessionReader> session_reader_;
};

void Service::live() {
  const Apartment apartment;
  voicemeeter_ = std::make_unique<Voicemeeter>();
  session_reader_ = std::make_unique<SessionReader>();
  ComPtr<IMMDeviceEnumerator> enumerator;
  const ComPtr<NotificationClient> client(new NotificationClient);
  const CallResult reached = reach(&enumerator, client.get());
  answer(reached.failed() ? to_error(reached, kReaching) : Error::none());
  if (!reached.failed()) {
    serve(enumerator.get(), client.get());
    // Waits for running callbacks, which only raise an event.
    enumerator->UnregisterEndpointNotificationCallback(client.get());
  }
  session_reader_.reset();
  voicemeeter_.reset();
}

CallResult Service::reach(ComPtr<IMMDeviceEnumerator>* enumerator, NotificationClient* client) {
  const CallResult created = create_enumerator(enumerator);
  if (created.failed()) return created;
  return {(*enumerator)->RegisterEndpointNotificationCallback(client),
          "IMMDeviceEnumerator::RegisterEndpointNotificationCallback"};
}

void Service::serve(IMMDeviceEnumerator* enumerator, NotificationClient* client) {
  const HANDLE events[] = {quit_.get(), asked_.get(), client->changed(),
                           session_reader_->created()};
  for (;;) {
    const bool wanted = sessions_->wanted(Flow::kOutput) || sessions_->wanted(Flow::kInput);
    const DWORD look = wanted ? kSessionLookMs : INFINITE;
    switch (WaitForMultipleObjects(4, events, FALSE, look)) {
      case WAIT_OBJECT_0:
        return;
      case WAIT_OBJECT_0 + 1:
        answer(work_(enumerator));
        break;
      case WAIT_OBJECT_0 + 2:
        announcer_->devices_changed();
        break;
      default:
        break;
    }
    look_at_sessions(enumerator);
  }
}

// Windows announces new sessions. It could announce changes of their state too, but only through an
// object for each session, and the levels of their meters can only be read.
void Service::look_at_sessions(IMMDeviceEnumerator* enumerator) {
  std::vector<SessionInfo> sessions;
  for (const Flow flow : {Flow::kOutput, Flow::kInput}) {
    if (sessions_->wanted(flow) && session_reader_->read(enumerator, flow, &sessions)) return;
  }
  if (sessions_->update(sessions)) announcer_->processes_changed();
}

class WasapiHost final : public Host {
 public:
  WasapiHost()
      : announcer_(std::make_shared<Announcer>()),
        service_(std::make_shared<Service>(announcer_, sessions_)),
        thread_([service = service_] { service->live(); }) {}
  ~WasapiHost() override {
    announcer_->set_listener(nullptr);
    service_->quit();
  }

  // Whether the thread could reach the audio system. Called once, after construction.
  Error connected() { return wait_for_answer(kReaching); }

  Clock& clock() override { return real_clock(); }

  Error list_devices(std::vector<DeviceInfo>* devices) override {
    // Shared with the thread: a thread that hangs may fill it after the caller has gone.
    const auto found = std::make_shared<std::vector<DeviceInfo>>();
    Error error = perform("listing the devices", [found](IMMDeviceEnumerator* enumerator) {
      return read_devices(enumerator, found.get());
    });
    if (!error) *devices = std::move(*found);
    return error;
  }

  Error open_capture(const CaptureRequest& request, CaptureListener* listener,
                     std::unique_ptr<Stream>* stream) override {
    return WasapiStream::open(request.device_id, make_capture_work(request, &clock(), listener),
                              announcer_, &watch_, stream);
  }

  Error open_render(const RenderRequest& request, RenderListener* listener,
                    std::unique_ptr<Stream>* stream) override {
    return WasapiStream::open(request.device_id, make_render_work(request, listener), announcer_,
                              nullptr, stream);
  }

  Error list_processes(const ProcessQuery& query, std::vector<ProcessInfo>* processes) override {
    sessions_->want(query.flow);
    const auto found = std::make_shared<std::vector<SessionInfo>>();
    Error error = perform("listing programs", [found, flow = query.flow, service = service_.get()](
                                                  IMMDeviceEnumerator* enumerator) {
      return service->session_reader().read(enumerator, flow, found.get());
    });
    if (!error) *processes = to_processes(*processes_, *found, query.running);
    return error;
  }

  // By the meters of the sessions: many programs keep a stream that runs and is silent.
  Error list_playing(std::vector<std::string>* output_ids) override {
    const auto found = std::make_shared<std::vector<SessionInfo>>();
    Error error = perform(
        "listing what plays", [found, service = service_.get()](IMMDeviceEnumerator* enumerator) {
          return service->session_reader().read(enumerator, Flow::kOutput, found.get());
        });
    output_ids->clear();
    for (const SessionInfo& session : *found) {
      const bool sounds = session.active && !session.muted && session.level > 0;
      if (error || !sounds || session.pid == processes_->own_pid()) continue;
      output_ids->push_back(session.device_id);
    }
    return error;
  }

  Error open_processes(const ProcessCaptureRequest& request, CaptureListener* listener,
                       TapListener* taps, std::unique_ptr<ProcessStream>* stream) override {
    *stream = follow_processes(make_wasapi_taps(request.preferred, announcer_, sessions_),
                               &tap_sums_, request, listener, taps);
    return Error::none();
  }

  void watch(DeviceListener* listener) override { announcer_->set_listener(listener); }

  Error make_cable(const std::string&, const Format&, Cable*) override {
    return Error::make(
        ErrorCode::kUnsupported,
        "Windows cannot create a microphone without a driver, and no virtual cable was found",
        "Install VB-CABLE from https://vb-audio.com/Cable, play to \"CABLE Input\" and "
        "select \"CABLE Output\" as the microphone in the other program");
  }

  Error make_speaker(const std::string&, const Format&, std::string*) override {
    return Error::make(
        ErrorCode::kUnsupported,
        "Windows cannot create an output without a driver, and no virtual cable was found",
        "Install VB-CABLE from https://vb-audio.com/Cable, and select \"CABLE "
        "Input\" as the output "
        "in the other program");
  }

  Error ask_hearing(const std::string& render_id, const std::string& microphone_id,
                    Hearing* hearing) override {
    const auto found = std::make_shared<Hearing>();
    // The mixer's library belongs to the service's thread, which may outlive this call.
    Error error = perform("reading the volume of a virtual microphone",
                          [=, service = service_.get()](IMMDeviceEnumerator* enumerator) {
                            std::vector<DeviceInfo> devices;
                            if (Error failed = read_devices(enumerator, &devices)) return failed;
                            for (const DeviceInfo& device : devices) {
                              if (device.id != render_id && device.id != microphone_id) continue;
                              ComPtr<IMMDevice> endpoint;
                              if (find_device(enumerator, device.id, device.flow, &endpoint))
                                continue;
                              read_loudness(endpoint.get(), device.id, found.get());
                              if (device.id == render_id) {
                                read_session_loudness(endpoint.get(), found.get());
                              }
                              if (device.id == render_id && device.cable.driver == "voicemeeter") {
                                service->voicemeeter().read(device.cable.bus, found.get());
                              }
                            }
                            return Error::none();
                          });
    if (!error) *hearing = *found;
    return error;
  }

 private:
  Error perform(const char* attempt, Service::Work work) {
    if (!thread_.runs()) return timeout_error(attempt);
    service_->ask(std::move(work));
    Error error = wait_for_answer(attempt);
    announcer_->failed(error);
    return error;
  }

  Error wait_for_answer(const char* attempt) {
    if (wait_for(service_->answered())) return service_->take_answer();
    service_->quit();
    thread_.leave_behind();
    Error error = timeout_error(attempt);
    announcer_->backend_lost(error);  // the next use creates a host with another thread
    return error;
  }

  const std::shared_ptr<Announcer> announcer_;
  const std::shared_ptr<SessionBoard> sessions_ = std::make_shared<SessionBoard>();
  TapSums tap_sums_{real_clock()};
  const std::unique_ptr<ProcessTable> processes_ = system_processes();
  const std::shared_ptr<Service> service_;
  SystemThread thread_;
  EndpointWatch watch_;
};

}  // namespace

Error open_wasapi_host(std::unique_ptr<Host>* host) {
  auto opened = std::make_unique<WasapiHost>();
  Error error = opened->connected();
  if (!error) *host = std::move(opened);
  return error;
}

}  // namespace patchcord
