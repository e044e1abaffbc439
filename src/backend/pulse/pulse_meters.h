// Measures how loud each stream on the server plays.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "program_streams.h"
#include "pulse_connection.h"

namespace patchcord {
namespace pulse {

// The server measures on request: each playing stream needs a stream of peaks. They are kept as
// long as measure() is called regularly.
class PulseMeters {
 public:
  explicit PulseMeters(Connection* connection);
  ~PulseMeters();  // under the lock
  PulseMeters(const PulseMeters&) = delete;
  PulseMeters& operator=(const PulseMeters&) = delete;

  // Control thread, under the lock: each input's peak since the last call, linear. The first call
  // waits for the first peaks; one that has none by then is not in the map.
  std::map<uint32_t, float> measure(const std::vector<ProgramStream>& inputs,
                                    const std::vector<PulseDevice>& sinks,
                                    const Connection::Deadline& deadline);

 private:
  class Meter;
  void restart_timer();
  static void on_unused(pa_mainloop_api*, pa_time_event*, const timeval*, void* self);

  Connection& connection_;
  std::map<uint32_t, std::unique_ptr<Meter>> meters_;
  pa_time_event* timer_ = nullptr;
};

}  // namespace pulse
}  // namespace patchcord
