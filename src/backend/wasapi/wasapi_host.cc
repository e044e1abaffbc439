#include "wasapi_host.h"

#include <functional>
#include <thread>
#include <utility>

#include "handle.h"
#include "notification_client.h"
#include "wasapi_capture.h"
#include "wasapi_devices.h"
#include "wasapi_render.h"
#include "wasapi_stream.h"

namespace patchcord {
namespace {

// Owns one COM thread with the enumerator on it. The control thread hands it work and waits;
// between work it waits for the system's notifications and passes them on. As both are on one
// thread, no notification runs while watch() does.
class WasapiHost final : public Host {
 public:
  WasapiHost() {
    thread_ = std::thread([this] { live(); });
  }
  ~WasapiHost() override {
    SetEvent(quit_.get());
    thread_.join();
  }

  // Whether the thread could reach the audio system. Once, after construction.
  Error connected() {
    WaitForSingleObject(done_.get(), INFINITE);
    return std::move(result_);
  }

  Clock& clock() override { return real_clock(); }

  Error list_devices(std::vector<DeviceInfo>* devices) override {
    return perform(
        [devices](IMMDeviceEnumerator* enumerator) { return read_devices(enumerator, devices); });
  }

  Error open_capture(const CaptureRequest& request, CaptureListener* listener,
                     std::unique_ptr<Stream>* stream) override {
    return WasapiStream::open(request.device_id,
                              make_capture_work(request.kind, &clock(), listener), stream);
  }

  Error open_render(const RenderRequest& request, RenderListener* listener,
                    std::unique_ptr<Stream>* stream) override {
    return WasapiStream::open(request.device_id, make_render_work(request.latency_ms, listener),
                              stream);
  }

  void watch(DeviceListener* listener) override {
    perform([this, listener](IMMDeviceEnumerator*) {
      listener_ = listener;
      return Error::none();
    });
  }

  Error make_cable(const std::string&, const Format&, Cable*) override {
    return Error::make(
        ErrorCode::kUnsupported,
        "Windows makes no microphone without a driver, and no virtual cable was found",
        "Install VB-CABLE from https://vb-audio.com/Cable, play to \"CABLE Input\" and "
        "select \"CABLE Output\" as the microphone in the other program");
  }
  void remove_cable(const Cable&) override {}

 private:
  using Work = std::function<Error(IMMDeviceEnumerator*)>;

  // Control thread.
  Error perform(Work work) {
    work_ = std::move(work);
    SetEvent(asked_.get());
    WaitForSingleObject(done_.get(), INFINITE);
    return std::move(result_);
  }

  // The COM thread.
  void live() {
    const Apartment apartment;
    ComPtr<IMMDeviceEnumerator> enumerator;
    const ComPtr<NotificationClient> client(new NotificationClient);
    const CallResult reached = reach(&enumerator, client.get());
    answer(reached.failed() ? to_error(reached, "reaching the audio system") : Error::none());
    if (reached.failed()) return;
    serve(enumerator.get(), client.get());
    // Waits for callbacks in flight, which only raise an event.
    enumerator->UnregisterEndpointNotificationCallback(client.get());
  }

  static CallResult reach(ComPtr<IMMDeviceEnumerator>* enumerator, NotificationClient* client) {
    const CallResult created = create_enumerator(enumerator);
    if (created.failed()) return created;
    return {(*enumerator)->RegisterEndpointNotificationCallback(client),
            "IMMDeviceEnumerator::RegisterEndpointNotificationCallback"};
  }

  void serve(IMMDeviceEnumerator* enumerator, NotificationClient* client) {
    const HANDLE events[] = {quit_.get(), asked_.get(), client->changed()};
    for (;;) {
      switch (WaitForMultipleObjects(3, events, FALSE, INFINITE)) {
        case WAIT_OBJECT_0:
          return;
        case WAIT_OBJECT_0 + 1:
          answer(work_(enumerator));
          break;
        default:
          if (listener_ != nullptr) listener_->on_devices_changed();
      }
    }
  }

  void answer(Error error) {
    result_ = std::move(error);
    SetEvent(done_.get());
  }

  Handle quit_{make_latch()};
  Handle asked_{make_pulse()};
  Handle done_{make_pulse()};
  Work work_;                           // handed over by asked_
  Error result_;                        // handed back by done_
  DeviceListener* listener_ = nullptr;  // COM thread
  std::thread thread_;
};

}  // namespace

Error open_wasapi_host(std::unique_ptr<Host>* host) {
  auto opened = std::make_unique<WasapiHost>();
  Error error = opened->connected();
  if (!error) *host = std::move(opened);
  return error;
}

}  // namespace patchcord
