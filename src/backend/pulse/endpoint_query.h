// Reads mute and volume of a recording and of its device from the server four times a second. There
// is no meter: the server's meters are streams that cost as much as a recording, and a second
// stream would get the same audio as the first.
#pragma once

#include <string>

#include "../../core/shown.h"
#include "../backend.h"
#include "pulse_connection.h"

namespace patchcord {
namespace pulse {

// Under the lock, except state().
class EndpointQuery {
 public:
  explicit EndpointQuery(Connection* connection) : connection_(*connection) {}

  // `id` is the name of a source or a sink; `recording` is the index of the stream.
  void begin(const std::string& id, Flow flow, uint32_t recording);
  void end() noexcept;
  // Audio thread: sends a query if one is due, and none before begin().
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
