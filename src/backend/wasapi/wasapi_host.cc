#include "wasapi_host.h"

#include <functional>
#include <utility>

#include "announcer.h"
#include "directsound_capture.h"
#include "endpoint_loudness.h"
#include "handle.h"
#include "mme_capture.h"
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
// How often the endpoints are compared. A service that has restarted may have forgotten who wants
// notifications, and tells nobody.
constexpr int64_t kDeviceLook = 2 * kNsPerSecond;

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
  // The cable of an output. It does not change, so that the devices are not listed each time.
  Error cable_of(IMMDeviceEnumerator* enumerator, const std::string& render_id, CableEnd* cable);

 private:
  static CallResult reach(ComPtr<IMMDeviceEnumerator>* enumerator, NotificationClient* client);
  void serve(IMMDeviceEnumerator* enumerator, NotificationClient* client);
  void look_at_sessions(IMMDeviceEnumerator* enumerator);
  void look_at_devices(IMMDeviceEnumerator* enumerator, NotificationClient* client, bool announced);
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
  DeviceInfo played_to_;
  std::string endpoints_;
  int64_t looked_ = 0;
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
    const DWORD idle = announcer_->is_heard() ? DWORD{kDeviceLook / kNsPerMs} : INFINITE;
    const DWORD look = wanted ? kSessionLookMs : idle;
    bool announced = false;
    switch (WaitForMultipleObjects(4, events, FALSE, look)) {
      case WAIT_OBJECT_0:
        return;
      case WAIT_OBJECT_0 + 1:
        answer(work_(enumerator));
        break;
      case WAIT_OBJECT_0 + 2:
        announced = true;
        announcer_->devices_changed();
        break;
      default:
        break;
    }
    look_at_devices(enumerator, client, announced);
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

Error Service::cable_of(IMMDeviceEnumerator* enumerator, const std::string& render_id,
                        CableEnd* cable) {
  std::vector<DeviceInfo> devices;
  if (played_to_.id != render_id) {
    if (Error failed = read_devices(enumerator, &devices)) return failed;
  }
  for (DeviceInfo& device : devices) {
    if (device.id == render_id) played_to_ = std::move(device);
  }
  if (played_to_.id == render_id) *cable = played_to_.cable;
  return Error::none();
}

// A change without a notification shows that the registration is no longer valid.
void Service::look_at_devices(IMMDeviceEnumerator* enumerator, NotificationClient* client,
                              bool announced) {
  const int64_t now = real_clock().now();
  if (!announced && (now - looked_ < kDeviceLook || !announcer_->is_heard())) return;
  looked_ = now;
  std::string endpoints;
  const CallResult read = summarise_endpoints(enumerator, &endpoints);
  if (read.failed()) return announcer_->failed(to_error(read, kReaching));
  const bool changed = !endpoints_.empty() && endpoints != endpoints_;
  endpoints_ = std::move(endpoints);
  if (announced || !changed) return;
  enumerator->UnregisterEndpointNotificationCallback(client);
  enumerator->RegisterEndpointNotificationCallback(client);
  announcer_->devices_changed();
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
    std::unique_ptr<StreamWork> work;
    if (Error refused = make_work(request, listener, &work)) return refused;
    return WasapiStream::open(request.device_id, std::move(work), announcer_, &watch_, stream);
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
                            CableEnd cable;
                            if (Error failed = service->cable_of(enumerator, render_id, &cable)) {
                              return failed;
                            }
                            ComPtr<IMMDevice> output;
                            ComPtr<IMMDevice> input;
                            if (!find_device(enumerator, render_id, Flow::kOutput, &output)) {
                              read_loudness(output.get(), render_id, found.get());
                              read_session_loudness(output.get(), found.get());
                              if (cable.driver == "voicemeeter") {
                                service->voicemeeter().read(cable.bus, found.get());
                              }
                            }
                            if (!find_device(enumerator, microphone_id, Flow::kInput, &input)) {
                              read_loudness(input.get(), microphone_id, found.get());
                            }
                            return Error::none();
                          });
    if (!error) *hearing = *found;
    return error;
  }

 private:
  Error make_work(const CaptureRequest& request, CaptureListener* listener,
                  std::unique_ptr<StreamWork>* work) {
    const Api api = request.options.api;
    if (api != Api::kMme && api != Api::kDirectSound) {
      *work = make_capture_work(request, &clock(), listener);
      return Error::none();
    }
    if (request.options.exclusive) {
      return Error::make(
          ErrorCode::kUnsupported,
          "MME and DirectSound share every device, so exclusive mode is not possible",
          "leave shareMode out, or leave api out");
    }
    *work = api == Api::kMme ? make_mme_work(request, &clock(), listener)
                             : make_directsound_work(request, &clock(), listener);
    return Error::none();
  }

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
