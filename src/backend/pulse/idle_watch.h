// Looks for all captures of a connection whether something has come of late. One timer: libpulse
// wakes its own thread, through a pipe, whenever one is set, which for each packet of each stream
// is a good part of what a packet costs.
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
    // Audio thread. Returns when it is to be asked again. Must not add or remove.
    virtual int64_t look(int64_t now) noexcept = 0;

   protected:
    ~Member() = default;
  };

  explicit IdleWatch(Connection* connection) : connection_(*connection) {}

  // Control thread. The first look is within `kAfter`, so is each that is asked for.
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
