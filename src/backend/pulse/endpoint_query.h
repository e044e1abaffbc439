// Mute and volume of a recording and of its device, asked of the server four times a second. There
// is no meter: the server has none that costs nothing, and a second stream would hear what the
// first one hears.
#pragma once

#include <string>

#include "../../core/shown.h"
#include "../backend.h"
#include "pulse_connection.h"

namespace patchcord {
namespace pulse {

// Under the lock but for state().
class EndpointQuery {
 public:
  explicit EndpointQuery(Connection* connection) : connection_(*connection) {}

  // `id` is a source's name, or a sink's; `recording` the index of the stream.
  void begin(const std::string& id, Flow flow, uint32_t recording);
  void end() noexcept;
  // Audio thread: asks if it is time, and not before begin().
  void ask() noexcept;
  // Any thread.
  EndpointState state() const noexcept { return state_.load(); }

 private:
  static void on_device(pa_context*, const pa_device_info* info, int end, void* self);
  static void on_recording(pa_context*, const pa_source_output_info* info, int end, void* self);

  Connection& connection_;
  std::string id_;
  Flow flow_ = Flow::kInput;
  uint32_t recording_ = kInvalidIndex;
  EndpointState device_;
  pa_operation* question_ = nullptr;
  int64_t next_ = 0;
  Shown<EndpointState> state_;
};

}  // namespace pulse
}  // namespace patchcord
