#include "pulse_events.h"

#include <algorithm>

namespace patchcord {
namespace pulse {
namespace {

constexpr int kFacilityMask = 0x000F;
constexpr int kFacilitySink = 0x0000;
constexpr int kFacilitySinkInput = 0x0002;
constexpr int kFacilitySourceOutput = 0x0003;
constexpr int kTypeMask = 0x0030;
constexpr int kTypeNew = 0x0000;
// If moves settle late (ServerTraits), the streams are listed at growing intervals.
constexpr int64_t kSettling = 200 * kNsPerMs;
constexpr int64_t kSettled = 10 * kNsPerSecond;

}  // namespace

PulseEvents::~PulseEvents() {
  if (later_) connection_.api()->time_free(later_);
}

void PulseEvents::set_listener(DeviceListener* listener) {
  listener_ = listener;
  subscribe();
}

void PulseEvents::add(InputListener* listener) {
  inputs_.push_back(listener);
  subscribe();
}

void PulseEvents::remove(InputListener* listener) {
  inputs_.erase(std::remove(inputs_.begin(), inputs_.end(), listener), inputs_.end());
  subscribe();
}

void PulseEvents::set_sink_listener(SinkListener* listener) {
  sinks_ = listener;
  subscribe();
}

void PulseEvents::lost(const Error& error) noexcept {
  for (InputListener* input : inputs_) input->on_inputs_changed();
  if (listener_) listener_->on_backend_lost(error);
}

void PulseEvents::subscribe() {
  const LibPulse& library = connection_.libpulse();
  int mask = PA_SUBSCRIPTION_MASK_NULL;
  // Events of a card report changes of its ports: headphones plugged in or out.
  if (listener_) {
    mask |= PA_SUBSCRIPTION_MASK_SINK | PA_SUBSCRIPTION_MASK_SOURCE | PA_SUBSCRIPTION_MASK_SERVER |
            PA_SUBSCRIPTION_MASK_CARD | PA_SUBSCRIPTION_MASK_SOURCE_OUTPUT;
  }
  if (listener_ || !inputs_.empty()) {
    mask |= PA_SUBSCRIPTION_MASK_SINK | PA_SUBSCRIPTION_MASK_SINK_INPUT;
  }
  if (sinks_) mask |= PA_SUBSCRIPTION_MASK_SINK;
  library.pa_context_set_subscribe_callback(
      connection_.context(), mask != PA_SUBSCRIPTION_MASK_NULL ? on_event : nullptr, this);
  connection_.forget(library.pa_context_subscribe(
      connection_.context(), static_cast<pa_subscription_mask_t>(mask), nullptr, nullptr));
}

void PulseEvents::on_event(pa_context*, int event, uint32_t index, void* self) {
  auto* events = static_cast<PulseEvents*>(self);
  const bool settles_late = events->connection_.traits().moves_settle_late;
  const int facility = event & kFacilityMask;
  const bool of_input = facility == kFacilitySinkInput;
  const bool of_recording = facility == kFacilitySourceOutput;
  DeviceListener* const listener = events->listener_;
  if (!of_input && !of_recording && listener) listener->on_devices_changed();
  if (of_recording && listener && !settles_late) listener->on_processes_changed();
  if (events->sinks_ && facility == kFacilitySink && (event & kTypeMask) == kTypeNew) {
    events->sinks_->on_sink_added(index);
  }
  if (of_input || settles_late) events->tell_inputs();
  if (settles_late) events->tell_inputs_later(kSettling);
}

void PulseEvents::tell_inputs() noexcept {
  for (InputListener* input : inputs_) input->on_inputs_changed();
  if (listener_) listener_->on_processes_changed();
}

void PulseEvents::tell_inputs_later(int64_t delay) noexcept {
  const LibPulse& library = connection_.libpulse();
  const auto due = static_cast<pa_usec_t>((connection_.clock().now() + delay) / 1000);
  delay_ = delay;
  if (later_) {
    library.pa_context_rttime_restart(connection_.context(), later_, due);
  } else {
    later_ = library.pa_context_rttime_new(connection_.context(), due, on_later, this);
  }
}

void PulseEvents::on_later(pa_mainloop_api* api, pa_time_event* timer, const timeval*, void* self) {
  auto* events = static_cast<PulseEvents*>(self);
  events->tell_inputs();
  if (events->delay_ < kSettled) return events->tell_inputs_later(2 * events->delay_);
  api->time_free(timer);
  events->later_ = nullptr;
}

}  // namespace pulse
}  // namespace patchcord
