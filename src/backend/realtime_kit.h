// Real-time priority for threads of ordinary users. Linux allows it within RLIMIT_RTPRIO; for all
// other users RealtimeKit, a service on the system's message bus, grants it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "../core/time/clock.h"

namespace patchcord {

// A request for one thread of this process, made on its own thread: the bus may take long to
// answer, and an audio thread must not wait for it. libdbus is loaded at run time. The request
// makes RLIMIT_RTTIME as small as RealtimeKit demands: an audio thread that computes for that long
// (200 ms) without ever waiting ends the process.
class RealtimeRequest {
 public:
  // `thread_id`: the kernel's number of a thread that lives as long as this object.
  RealtimeRequest(int64_t thread_id, int priority);
  // Waits for a call that is under way, for half a second at most.
  ~RealtimeRequest();
  RealtimeRequest(const RealtimeRequest&) = delete;
  RealtimeRequest& operator=(const RealtimeRequest&) = delete;

  // Waits for the answer, for two seconds at most. No audio thread.
  ThreadPriority::Answer answer() const;

 private:
  void ask(int64_t thread_id, int priority);

  ThreadPriority::Answer answer_;
  std::atomic<bool> cancelled_{false}, answered_{false};
  const std::unique_ptr<Event> event_ = Event::create();
  std::thread asking_;
};

}  // namespace patchcord
