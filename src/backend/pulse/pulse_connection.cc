#include "pulse_connection.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <utility>

namespace patchcord {
namespace pulse {
namespace {

// How soon an interrupted wait ends. A timer checks for interruption, because the interrupting
// thread does not know which connections other threads wait on.
constexpr int64_t kInterruptedWithin = 20 * kNsPerMs;

// Whether systemd runs is what sd_booted() checks too. Containers usually run without it.
std::string how_to_start() {
  const bool systemd = access("/run/systemd/system", F_OK) == 0;
  return std::string("Start the sound server of this user with ") +
         (systemd ? "`systemctl --user start pipewire-pulse`, or `pulseaudio --start`"
                  : "`pulseaudio --daemonize --exit-idle-time=-1`") +
         ", or set PULSE_SERVER to the address of one";
}

std::string random_uuid() {
  std::random_device random;
  uint32_t words[4];
  for (uint32_t& word : words) word = random();
  char text[37];
  snprintf(text, sizeof text, "%08x-%04x-4%03x-%04x-%04x%08x", words[0], words[1] >> 16,
           words[1] & 0xfff, (words[2] >> 16 & 0x3fff) | 0x8000, words[2] & 0xffff, words[3]);
  return text;
}

ErrorCode code_of(int pulse_error) {
  switch (pulse_error) {
    case PA_ERR_NOENTITY:
      return ErrorCode::kDeviceNotFound;
    case PA_ERR_ACCESS:
    case PA_ERR_AUTHKEY:
      return ErrorCode::kPermissionDenied;
    case PA_ERR_CONNECTIONREFUSED:
    case PA_ERR_CONNECTIONTERMINATED:
    case PA_ERR_INVALIDSERVER:
    case PA_ERR_PROTOCOL:
    case PA_ERR_VERSION:
      return ErrorCode::kBackendUnavailable;
    case PA_ERR_KILLED:
      return ErrorCode::kDeviceLost;
    case PA_ERR_TIMEOUT:
      return ErrorCode::kTimeout;
    case PA_ERR_NOTSUPPORTED:
      return ErrorCode::kUnsupported;
    case PA_ERR_BUSY:
      return ErrorCode::kDeviceBusy;
    default:
      return ErrorCode::kBackend;
  }
}

}  // namespace

Connection::Deadline::Deadline(Connection* connection, int64_t after_ns,
                               const std::atomic<bool>* interrupted)
    : connection_(*connection),
      interrupted_(interrupted),
      end_(connection->clock().now() + after_ns),
      timer_(connection->libpulse().pa_context_rttime_new(connection->context(), next_look(),
                                                          on_time, this)) {}

Connection::Deadline::~Deadline() { connection_.api()->time_free(timer_); }

pa_usec_t Connection::Deadline::next_look() const {
  const int64_t look = connection_.clock().now() + kInterruptedWithin;
  return static_cast<pa_usec_t>((interrupted_ ? std::min(look, end_) : end_) / 1000);
}

void Connection::Deadline::on_time(pa_mainloop_api*, pa_time_event* timer, const timeval*,
                                   void* self) {
  auto* deadline = static_cast<Deadline*>(self);
  Connection& connection = deadline->connection_;
  const bool interrupted = deadline->interrupted_ && deadline->interrupted_->load();
  // The timer counts whole microseconds.
  if (!interrupted && connection.clock().now() / 1000 < deadline->end_ / 1000) {
    connection.libpulse().pa_context_rttime_restart(connection.context(), timer,
                                                    deadline->next_look());
    return;
  }
  deadline->passed_ = true;
  connection.wake();
}

Error Connection::open(Purpose purpose, const std::string& server,
                       std::unique_ptr<Connection>* connection, int64_t limit_ns,
                       const std::atomic<bool>* interrupted) {
  const LibPulse* library = nullptr;
  if (Error error = load_libpulse(&library)) return error;
  std::unique_ptr<Connection> opened(new Connection(library, purpose, server));
  if (Error error = opened->connect(limit_ns, interrupted)) return error;
  *connection = std::move(opened);
  return Error::none();
}

Connection::Connection(const LibPulse* library, Purpose purpose, std::string server)
    : libpulse_(library),
      purpose_(purpose),
      loop_(library->pa_threaded_mainloop_new()),
      instance_(random_uuid()),
      server_(std::move(server)) {}

Connection::~Connection() {
  if (!loop_) return;
  if (context_) {
    Lock lock(*this);
    libpulse_->pa_context_set_state_callback(context_, nullptr, nullptr);
    libpulse_->pa_context_disconnect(context_);
    libpulse_->pa_context_unref(context_);
  }
  if (running_) libpulse_->pa_threaded_mainloop_stop(loop_);
  libpulse_->pa_threaded_mainloop_free(loop_);
}

Error Connection::connect(int64_t limit_ns, const std::atomic<bool>* interrupted) {
  api_ = loop_ ? libpulse_->pa_threaded_mainloop_get_api(loop_) : nullptr;
  pa_proplist* properties = libpulse_->pa_proplist_new();
  libpulse_->pa_proplist_sets(properties, kInstanceProperty, instance_.c_str());
  // Without a name libpulse takes the program's: mixers then show "node" or the app's own name.
  if (api_) context_ = libpulse_->pa_context_new_with_proplist(api_, nullptr, properties);
  libpulse_->pa_proplist_free(properties);
  if (!context_ || libpulse_->pa_threaded_mainloop_start(loop_) != 0) {
    return Error::make(ErrorCode::kBackend, "The PulseAudio client library could not start");
  }
  running_ = true;

  Lock lock(*this);
  api_->defer_new(api_, on_first_turn, this);
  libpulse_->pa_context_set_state_callback(context_, on_state, this);
  Deadline deadline(this, limit_ns, interrupted);
  int failed = libpulse_->pa_context_connect(context_, server_.empty() ? nullptr : server_.c_str(),
                                             PA_CONTEXT_NOAUTOSPAWN, nullptr);
  while (failed == 0 && !deadline.passed()) {
    const pa_context_state_t state = libpulse_->pa_context_get_state(context_);
    if (state == PA_CONTEXT_FAILED || state == PA_CONTEXT_TERMINATED) failed = -1;
    if (state == PA_CONTEXT_READY && first_turn_done_) break;
    if (failed == 0) wait();
  }
  if (failed != 0 || deadline.passed()) {
    Error error =
        deadline.passed()
            ? Error::make(ErrorCode::kBackendUnavailable, "The audio server did not answer in 5 s")
            : last_error("pa_context_connect", "No audio server could be reached");
    if (error.code == ErrorCode::kPermissionDenied) {
      error.message = "The audio server refused this process";
      error.remedy =
          "Give this process the cookie of the server's user: copy ~/.config/pulse/cookie of that "
          "user, and set PULSE_COOKIE to the path of the copy";
      return error;
    }
    // For an app, a refused connection is the same as a missing server.
    error.code = ErrorCode::kBackendUnavailable;
    error.remedy = how_to_start();
    return error;
  }
  connected_ = true;
  const char* server = libpulse_->pa_context_get_server(context_);
  server_ = server ? server : "";

  struct Reply {
    Connection* connection;
    const ServerTraits* traits = &kPulseAudio;
  } reply{this};
  auto on_server = [](pa_context*, const pa_server_info* info, void* userdata) {
    auto* reply = static_cast<Reply*>(userdata);
    // "PulseAudio (on PipeWire 0.3.65)"
    const std::string name = info && info->server_name ? info->server_name : "";
    if (name.find("PipeWire") != std::string::npos) reply->traits = &kPipeWire;
    reply->connection->wake();
  };
  Error error = await(libpulse_->pa_context_get_server_info(context_, on_server, &reply),
                      "pa_context_get_server_info", deadline);
  traits_ = reply.traits;
  if (priority_) realtime_ = priority_->answer();
  return error;
}

// The loop's thread, before any other callback.
void Connection::on_first_turn(pa_mainloop_api* api, pa_defer_event* event, void* self) {
  auto* connection = static_cast<Connection*>(self);
  const bool streams = connection->purpose_ == Purpose::kStreams;
  // Called here, because libpulse 16.1 names the thread that calls it.
  connection->libpulse_->pa_threaded_mainloop_set_name(
      connection->loop_, streams ? "patchcord-audio" : "patchcord-asks");
  if (streams) {
    // Thread-local: the object must be destroyed on the thread whose priority it raised, and
    // libpulse decides when that thread ends.
    thread_local ThreadPriority priority(Priority::kAudio);
    connection->priority_ = &priority;
  }
  connection->first_turn_done_ = true;
  api->defer_free(event);
  connection->wake();
}

void Connection::on_state(pa_context*, void* self) {
  auto* connection = static_cast<Connection*>(self);
  connection->wake();
  const pa_context_state_t state =
      connection->libpulse_->pa_context_get_state(connection->context_);
  if (connection->connected_ && state == PA_CONTEXT_FAILED && connection->loss_listener_) {
    connection->loss_listener_->on_connection_lost(connection->lost_error());
  }
}

Error Connection::await(pa_operation* operation, const char* function, const Deadline& deadline) {
  if (!operation) return alive() ? last_error(function, "The audio server refused") : lost_error();
  while (libpulse_->pa_operation_get_state(operation) == PA_OPERATION_RUNNING &&
         !deadline.passed()) {
    wait();
  }
  const pa_operation_state_t state = libpulse_->pa_operation_get_state(operation);
  if (state == PA_OPERATION_RUNNING) libpulse_->pa_operation_cancel(operation);
  libpulse_->pa_operation_unref(operation);
  if (state == PA_OPERATION_DONE) return Error::none();
  if (state == PA_OPERATION_CANCELLED) return lost_error();
  Error error = Error::make(ErrorCode::kTimeout, "The audio server did not answer in time");
  error.syscall = function;
  return error;
}

void Connection::forget(pa_operation* operation) {
  if (operation) libpulse_->pa_operation_unref(operation);
}

void Connection::pause(int64_t duration_ns) {
  const Deadline end(this, duration_ns);
  while (!end.passed()) wait();
}

Error Connection::last_error(const char* function, const std::string& message) const {
  const int number = libpulse_->pa_context_errno(context_);
  Error error = Error::make(code_of(number), message);
  error.syscall = function;
  error.os_code = std::to_string(number) + " " + libpulse_->pa_strerror(number);
  return error;
}

Error Connection::lost_error() const {
  Error error = last_error("pa_context_get_state", "The connection to the audio server was lost");
  error.code = ErrorCode::kBackendUnavailable;
  error.remedy = how_to_start();
  return error;
}

void Connection::on_success(pa_context*, int success, void* userdata) {
  auto* reply = static_cast<Success*>(userdata);
  reply->ok = success != 0;
  reply->connection->wake();
}

}  // namespace pulse
}  // namespace patchcord
