// A connection to the audio server, with the thread that serves it. The server limits the number of
// connections (PulseAudio: 64 for all clients), so a host has two at most: one for its queries,
// whose answers are lists that must be stored, and one shared by all its streams, on whose thread
// nothing is allocated and only libpulse's lock is taken.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "../../core/error.h"
#include "../../core/time/clock.h"
#include "idle_watch.h"
#include "libpulse_api.h"
#include "server_traits.h"

namespace patchcord {
namespace pulse {

// How long one method of Host may take; with the odd second step it stays under the contract's 10
// s.
constexpr int64_t kCallLimit = 5 * kNsPerSecond;
// The same for repeated calls, and for a removal, which a server that stands still carries out when
// it continues: the end of a stream must not wait for them.
constexpr int64_t kShortCallLimit = 300 * kNsPerMs;

class Connection {
 public:
  enum class Purpose { kQuestions, kStreams };

  // Any thread that may wait, for `limit_ns` at most and not after `interrupted` is set. Never
  // starts a server, because the user has not started one. `server` is what server() of another
  // connection returns. If it is empty, libpulse reads PULSE_SERVER, or takes the user's server.
  static Error open(Purpose purpose, const std::string& server,
                    std::unique_ptr<Connection>* connection, int64_t limit_ns = kCallLimit,
                    const std::atomic<bool>* interrupted = nullptr);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Callbacks of libpulse run on the loop's thread with this lock held; every call into the library
  // from another thread needs it. The loop's thread of kStreams is the "audio thread", that of
  // kQuestions the "answering thread".
  class Lock {
   public:
    explicit Lock(const Connection& connection) : connection_(connection) {
      connection_.libpulse_->pa_threaded_mainloop_lock(connection_.loop_);
    }
    ~Lock() { connection_.libpulse_->pa_threaded_mainloop_unlock(connection_.loop_); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    const Connection& connection_;
  };

  // Limits one call of the contract: no wait lasts beyond this instant, or much longer once another
  // thread has set `interrupted`. Any thread that may wait, under the lock.
  class Deadline {
   public:
    Deadline(Connection* connection, int64_t after_ns,
             const std::atomic<bool>* interrupted = nullptr);
    ~Deadline();
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    bool passed() const { return passed_; }

   private:
    pa_usec_t next_look() const;
    static void on_time(pa_mainloop_api*, pa_time_event*, const timeval*, void* self);
    Connection& connection_;
    const std::atomic<bool>* const interrupted_;
    const int64_t end_;
    pa_time_event* timer_;
    bool passed_ = false;
  };

  const LibPulse& libpulse() const { return *libpulse_; }
  pa_context* context() const { return context_; }
  pa_mainloop_api* api() const { return api_; }
  Clock& clock() const { return real_clock(); }
  // the mark of our modules and of this connection
  const std::string& instance() const { return instance_; }
  const std::string& server() const { return server_; }  // the address, in the form of PULSE_SERVER
  const ServerTraits& traits() const { return *traits_; }
  const ThreadPriority::Answer& realtime() const { return realtime_; }

  // All of these under the lock.
  IdleWatch& idle_watch() { return idle_watch_; }
  bool alive() const { return libpulse_->pa_context_get_state(context_) == PA_CONTEXT_READY; }
  void wait() { libpulse_->pa_threaded_mainloop_wait(loop_); }
  void wake() { libpulse_->pa_threaded_mainloop_signal(loop_, 0); }
  // Waits for `operation` (whose callback must call wake()) and releases it. After the deadline it
  // is cancelled, so that its callback cannot run after the caller has returned.
  Error await(pa_operation* operation, const char* function, const Deadline& deadline);
  void forget(pa_operation* operation);  // releases it without waiting
  void pause(int64_t duration_ns);
  // The library's last error, as an Error. `message`: what was requested, without a final stop.
  Error last_error(const char* function, const std::string& message) const;

  // At most one; called on the loop's thread when the server has gone.
  struct LossListener {
    virtual void on_connection_lost(const Error& error) noexcept = 0;

   protected:
    ~LossListener() = default;
  };
  void set_loss_listener(LossListener* listener) { loss_listener_ = listener; }
  Error lost_error() const;

  static void on_success(pa_context*, int success, void* flag_and_connection);
  struct Success {
    Connection* connection;
    bool ok = false;
  };

 private:
  Connection(const LibPulse* library, Purpose purpose, std::string server);
  Error connect(int64_t limit_ns, const std::atomic<bool>* interrupted);
  static void on_state(pa_context*, void* self);
  static void on_first_turn(pa_mainloop_api*, pa_defer_event*, void* self);

  const LibPulse* libpulse_;
  const Purpose purpose_;
  pa_threaded_mainloop* loop_ = nullptr;
  pa_mainloop_api* api_ = nullptr;
  pa_context* context_ = nullptr;
  LossListener* loss_listener_ = nullptr;
  IdleWatch idle_watch_{this};
  std::string instance_;
  std::string server_;
  bool running_ = false;
  bool connected_ = false;
  const ServerTraits* traits_ = &kPulseAudio;
  const ThreadPriority* priority_ = nullptr;  // of the audio thread
  ThreadPriority::Answer realtime_;
  bool first_turn_done_ = false;
};

// The property that marks the objects of one connection of ours.
constexpr char kInstanceProperty[] = "patchcord.instance";

}  // namespace pulse
}  // namespace patchcord
