#include "pulse_host.h"

#include <utility>

#include "pulse_cable.h"
#include "pulse_capture.h"
#include "pulse_connection.h"
#include "pulse_devices.h"
#include "pulse_render.h"

namespace patchcord {
namespace pulse {
namespace {

class PulseHost final : public Host, private Connection::LossListener {
 public:
  explicit PulseHost(std::unique_ptr<Connection> connection)
      : connection_(std::move(connection)), cables_(connection_.get()) {
    cables_.remove_orphans();
    Connection::Lock lock(*connection_);
    connection_->set_loss_listener(this);
  }
  ~PulseHost() {
    watch(nullptr);
    Connection::Lock lock(*connection_);
    connection_->set_loss_listener(nullptr);
  }

  Clock& clock() override { return connection_->clock(); }

  Error list_devices(std::vector<DeviceInfo>* devices) override {
    return list_pulse_devices(connection_.get(), devices);
  }

  Error open_capture(const CaptureRequest& request, CaptureListener* listener,
                     std::unique_ptr<Stream>* stream) override {
    return open_pulse_capture(connection_.get(), request, listener, stream);
  }

  Error open_render(const RenderRequest& request, RenderListener* listener,
                    std::unique_ptr<Stream>* stream) override {
    return open_pulse_render(connection_.get(), request, cables_.owns(request.device_id), listener,
                             stream);
  }

  void watch(DeviceListener* listener) override {
    Connection::Lock lock(*connection_);
    listener_ = listener;
    const LibPulse& library = connection_->library();
    // A card's events tell of ports: headphones plugged in or out.
    const int mask = listener ? PA_SUBSCRIPTION_MASK_SINK | PA_SUBSCRIPTION_MASK_SOURCE |
                                    PA_SUBSCRIPTION_MASK_SERVER | PA_SUBSCRIPTION_MASK_CARD
                              : PA_SUBSCRIPTION_MASK_NULL;
    library.pa_context_set_subscribe_callback(connection_->context(), listener ? on_event : nullptr,
                                              this);
    connection_->forget(library.pa_context_subscribe(
        connection_->context(), static_cast<pa_subscription_mask_t>(mask), nullptr, nullptr));
  }

  Error make_cable(const std::string& name, const Format& format, Cable* cable) override {
    return cables_.make(name, format, cable);
  }
  void remove_cable(const Cable& cable) override { cables_.remove(cable.render_id); }
  Error ask_hearing(const std::string& render_id, const std::string& microphone_id,
                    Hearing* hearing) override {
    return ask_pulse_hearing(connection_.get(), render_id, microphone_id, hearing);
  }

 private:
  // Both on the audio thread, under the lock.
  static void on_event(pa_context*, int, uint32_t, void* self) {
    auto* host = static_cast<PulseHost*>(self);
    if (host->listener_) host->listener_->on_devices_changed();
  }
  void on_connection_lost(const Error& error) noexcept override {
    if (listener_) listener_->on_backend_lost(error);
  }

  std::unique_ptr<Connection> connection_;
  PulseCables cables_;
  DeviceListener* listener_ = nullptr;
};

}  // namespace
}  // namespace pulse

Error open_pulse_host(std::unique_ptr<Host>* host) {
  std::unique_ptr<pulse::Connection> connection;
  if (Error error = pulse::Connection::open(&connection)) return error;
  *host = std::make_unique<pulse::PulseHost>(std::move(connection));
  return Error::none();
}

}  // namespace patchcord
