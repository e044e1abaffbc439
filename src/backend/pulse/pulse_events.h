// The notifications of the server, and the listeners that get them.
#pragma once

#include <vector>

#include "../backend.h"
#include "pulse_connection.h"

namespace patchcord {
namespace pulse {

class PulseEvents {
 public:
  // The answering thread, under the lock; implementations only take note.
  class InputListener {
   public:
    virtual void on_inputs_changed() noexcept = 0;

   protected:
    ~InputListener() = default;
  };

  class SinkListener {
   public:
    virtual void on_sink_added(uint32_t index) noexcept = 0;

   protected:
    ~SinkListener() = default;
  };

  explicit PulseEvents(Connection* connection) : connection_(*connection) {}
  ~PulseEvents();  // under the lock
  PulseEvents(const PulseEvents&) = delete;
  PulseEvents& operator=(const PulseEvents&) = delete;

  // All of these under the lock.
  void set_listener(DeviceListener* listener);
  void add(InputListener* listener);
  void remove(InputListener* listener);
  void set_sink_listener(SinkListener* listener);
  void lost(const Error& error) noexcept;  // the server is gone

 private:
  void subscribe();
  void tell_inputs() noexcept;
  void tell_inputs_later(int64_t delay) noexcept;
  static void on_later(pa_mainloop_api*, pa_time_event*, const timeval*, void* self);
  static void on_event(pa_context*, int event, uint32_t index, void* self);

  Connection& connection_;
  DeviceListener* listener_ = nullptr;
  std::vector<InputListener*> inputs_;
  SinkListener* sinks_ = nullptr;
  pa_time_event* later_ = nullptr;
  int64_t delay_ = 0;  // of later_
};

}  // namespace pulse
}  // namespace patchcord
