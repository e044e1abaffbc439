#include "idle_watch.h"

#include <algorithm>

#include "pulse_connection.h"

namespace patchcord {
namespace pulse {
namespace {

pa_usec_t to_timer(int64_t instant) { return static_cast<pa_usec_t>(instant / 1000); }

}  // namespace

void IdleWatch::add(Member* member) {
  members_.push_back(member);
  if (timer_) return;
  timer_ = connection_.libpulse().pa_context_rttime_new(
      connection_.context(), to_timer(connection_.clock().now() + kAfter), on_timer, this);
}

void IdleWatch::remove(Member* member) noexcept {
  members_.erase(std::remove(members_.begin(), members_.end(), member), members_.end());
  if (!members_.empty() || !timer_) return;
  connection_.api()->time_free(timer_);
  timer_ = nullptr;
}

void IdleWatch::on_timer(pa_mainloop_api*, pa_time_event* timer, const timeval*, void* self) {
  auto* watch = static_cast<IdleWatch*>(self);
  Connection& connection = watch->connection_;
  const int64_t now = connection.clock().now();
  int64_t next = now + kAfter;
  for (Member* member : watch->members_) next = std::min(next, member->look(now));
  connection.libpulse().pa_context_rttime_restart(connection.context(), timer, to_timer(next));
}

}  // namespace pulse
}  // namespace patchcord
