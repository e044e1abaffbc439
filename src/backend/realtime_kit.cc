#include "realtime_kit.h"

#include <dlfcn.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

namespace patchcord {
namespace {

constexpr int kCallLimitMs = 500;
constexpr int64_t kAnswerLimit = 2 * kNsPerSecond;
constexpr char kSystemBus[] = "unix:path=/run/dbus/system_bus_socket";
constexpr char kService[] = "org.freedesktop.RealtimeKit1";
constexpr char kPath[] = "/org/freedesktop/RealtimeKit1";

// Declarations of libdbus-1.so.3, whose ABI does not change (dbus/dbus.h).
struct DBusConnection;
struct DBusMessage;
struct DBusError {
  const char* name;
  const char* message;
  unsigned int flags;
  void* padding;
};
struct DBusMessageIter {
  void* opaque[16];
};
constexpr int kTypeInt32 = 'i', kTypeUint32 = 'u', kTypeInt64 = 'x', kTypeUint64 = 't';
constexpr int kTypeString = 's', kTypeVariant = 'v', kTypeInvalid = 0;

#define PATCHCORD_LIBDBUS_FUNCTIONS(F)                                         \
  F(unsigned, dbus_threads_init_default, (void))                               \
  F(void, dbus_error_init, (DBusError*))                                       \
  F(void, dbus_error_free, (DBusError*))                                       \
  F(DBusConnection*, dbus_connection_open_private, (const char*, DBusError*))  \
  F(void, dbus_connection_set_exit_on_disconnect, (DBusConnection*, unsigned)) \
  F(void, dbus_connection_close, (DBusConnection*))                            \
  F(void, dbus_connection_unref, (DBusConnection*))                            \
  F(DBusMessage*, dbus_connection_send_with_reply_and_block,                   \
    (DBusConnection*, DBusMessage*, int, DBusError*))                          \
  F(DBusMessage*, dbus_message_new_method_call,                                \
    (const char*, const char*, const char*, const char*))                      \
  F(unsigned, dbus_message_append_args, (DBusMessage*, int, ...))              \
  F(void, dbus_message_unref, (DBusMessage*))                                  \
  F(unsigned, dbus_message_iter_init, (DBusMessage*, DBusMessageIter*))        \
  F(int, dbus_message_iter_get_arg_type, (DBusMessageIter*))                   \
  F(void, dbus_message_iter_recurse, (DBusMessageIter*, DBusMessageIter*))     \
  F(void, dbus_message_iter_get_basic, (DBusMessageIter*, void*))

struct LibDBus {
#define PATCHCORD_MEMBER(result, name, parameters) result(*name) parameters = nullptr;
  PATCHCORD_LIBDBUS_FUNCTIONS(PATCHCORD_MEMBER)
#undef PATCHCORD_MEMBER
  bool loaded = false;

  LibDBus() {
    void* handle = dlopen("libdbus-1.so.3", RTLD_NOW | RTLD_LOCAL);
    if (!handle) return;
#define PATCHCORD_RESOLVE(result, name, parameters)                    \
  name = reinterpret_cast<result(*) parameters>(dlsym(handle, #name)); \
  if (!name) return;
    PATCHCORD_LIBDBUS_FUNCTIONS(PATCHCORD_RESOLVE)
#undef PATCHCORD_RESOLVE
    loaded = dbus_threads_init_default() != 0;
  }
};

const LibDBus& libdbus() {
  static const LibDBus& library = *new LibDBus;
  return library;
}

// A private connection: the app may use libdbus' shared one, which ends the process when the bus
// goes.
class Bus {
 public:
  Bus() : library_(libdbus()) { library_.dbus_error_init(&error_); }
  ~Bus() {
    library_.dbus_error_free(&error_);
    if (!connection_) return;
    library_.dbus_connection_close(connection_);
    library_.dbus_connection_unref(connection_);
  }
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  bool open() {
    const char* address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
    connection_ = library_.dbus_connection_open_private(address ? address : kSystemBus, &error_);
    if (!connection_) return false;
    library_.dbus_connection_set_exit_on_disconnect(connection_, 0);
    return call(
        library_.dbus_message_new_method_call("org.freedesktop.DBus", "/org/freedesktop/DBus",
                                              "org.freedesktop.DBus", "Hello"),
        nullptr);
  }

  // The value of a numeric property of the service.
  bool get(const char* property, int64_t* value) {
    const char* service = kService;
    DBusMessage* message = library_.dbus_message_new_method_call(
        kService, kPath, "org.freedesktop.DBus.Properties", "Get");
    if (message) {
      library_.dbus_message_append_args(message, kTypeString, &service, kTypeString, &property,
                                        kTypeInvalid);
    }
    return call(message, value);
  }

  bool make_realtime(uint64_t thread, uint32_t priority) {
    DBusMessage* message =
        library_.dbus_message_new_method_call(kService, kPath, kService, "MakeThreadRealtime");
    if (message) {
      library_.dbus_message_append_args(message, kTypeUint64, &thread, kTypeUint32, &priority,
                                        kTypeInvalid);
    }
    return call(message, nullptr);
  }

  std::string error() const { return error_.message ? error_.message : "no answer"; }

 private:
  bool call(DBusMessage* message, int64_t* value) {
    if (!message) return false;
    DBusMessage* reply = library_.dbus_connection_send_with_reply_and_block(connection_, message,
                                                                            kCallLimitMs, &error_);
    library_.dbus_message_unref(message);
    if (!reply) return false;
    const bool read = !value || read_number(reply, value);
    library_.dbus_message_unref(reply);
    return read;
  }

  bool read_number(DBusMessage* reply, int64_t* value) {
    DBusMessageIter outer, inner;
    if (!library_.dbus_message_iter_init(reply, &outer)) return false;
    if (library_.dbus_message_iter_get_arg_type(&outer) != kTypeVariant) return false;
    library_.dbus_message_iter_recurse(&outer, &inner);
    const int type = library_.dbus_message_iter_get_arg_type(&inner);
    int32_t number = 0;
    if (type == kTypeInt32) library_.dbus_message_iter_get_basic(&inner, &number);
    if (type == kTypeInt32) *value = number;
    if (type == kTypeInt64) library_.dbus_message_iter_get_basic(&inner, value);
    return type == kTypeInt32 || type == kTypeInt64;
  }

  const LibDBus& library_;
  DBusConnection* connection_ = nullptr;
  DBusError error_{};
};

// RealtimeKit refuses processes whose real-time threads may run without limit.
bool limit_realtime_run(int64_t most_us) {
  rlimit limit;
  if (getrlimit(RLIMIT_RTTIME, &limit) != 0) return false;
  const rlim_t most = static_cast<rlim_t>(most_us);
  if (limit.rlim_max <= most) return true;
  limit.rlim_max = most;
  limit.rlim_cur = std::min(limit.rlim_cur, most);
  return setrlimit(RLIMIT_RTTIME, &limit) == 0;
}

}  // namespace

RealtimeRequest::RealtimeRequest(int64_t thread_id, int priority)
    : asking_([this, thread_id, priority] {
        ask(thread_id, priority);
        answered_.store(true, std::memory_order_release);
        event_->signal();
      }) {}

RealtimeRequest::~RealtimeRequest() {
  cancelled_.store(true, std::memory_order_relaxed);
  asking_.join();
}

ThreadPriority::Answer RealtimeRequest::answer() const {
  if (!answered_.load(std::memory_order_acquire)) event_->wait(kAnswerLimit);
  if (answered_.load(std::memory_order_acquire)) return answer_;
  return {false, "RealtimeKit has not answered yet"};
}

void RealtimeRequest::ask(int64_t thread_id, int priority) {
  const auto refused = [this](const std::string& why_not) { answer_ = {false, why_not}; };
  const std::string need = "this user has no RLIMIT_RTPRIO, and ";
  if (!libdbus().loaded)
    return refused(need + "libdbus-1.so.3, which is needed to ask RealtimeKit, is not installed");
  Bus bus;
  if (!bus.open()) return refused(need + "the message bus of the system failed: " + bus.error());
  int64_t highest = 0, longest_us = 0;
  if (cancelled_.load(std::memory_order_relaxed)) return;
  if (!bus.get("MaxRealtimePriority", &highest)) {
    return refused(need + "RealtimeKit failed: " + bus.error());
  }
  if (cancelled_.load(std::memory_order_relaxed)) return;
  if (!bus.get("RTTimeUSecMax", &longest_us))
    return refused(need + "RealtimeKit failed: " + bus.error());
  if (!limit_realtime_run(longest_us)) return refused(need + "RLIMIT_RTTIME could not be set");
  if (cancelled_.load(std::memory_order_relaxed)) return;
  const auto allowed = static_cast<uint32_t>(std::min<int64_t>(priority, highest));
  if (!bus.make_realtime(static_cast<uint64_t>(thread_id), allowed)) {
    return refused(need + "RealtimeKit failed: " + bus.error());
  }
  answer_ = {true, {}};
}

}  // namespace patchcord
