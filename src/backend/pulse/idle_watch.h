// Checks for all captures of a connection whether packets still arrive. They share one timer:
// setting a timer makes libpulse wake its own thread through a pipe, and doing that for each packet
// of each stream is a good part of the cost of a packet.
#pragma once

#include <cstdint>
#include <vector>

#include "libpulse_api.h"

namespace patchcord {
namespace pulse {

class Connection;

// Under the lock.
class IdleWatch {
 public:
  class Member {
   public:
    // Audio thread. Returns the time of the next check. Must not add or remove members.
    virtual int64_t look(int64_t now) noexcept = 0;

   protected:
    ~Member() = default;
  };

  explicit IdleWatch(Connection* connection) : connection_(*connection) {}

  // Control thread. The first check is within `kAfter`, and so is each requested one.
  static constexpr int64_t kAfter = 15'000'000;  // ns; packets come every 10 ms or so
  void add(Member* member);
  void remove(Member* member) noexcept;  // any thread, also of one that is no member

 private:
  static void on_timer(pa_mainloop_api*, pa_time_event*, const timeval*, void* self);

  Connection& connection_;
  std::vector<Member*> members_;
  pa_time_event* timer_ = nullptr;
};

}  // namespace pulse
}  // namespace patchcord
