// The requests to RealtimeKit, on the test's own message bus (dbus-daemon) with a service that
// checks requests as the real one does.
#include "../../src/backend/realtime_kit.h"

#include <dbus/dbus.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>

#include "check.h"

using namespace patchcord;

namespace {

constexpr int64_t kMostRunUs = 200000;
constexpr int32_t kHighest = 5;
constexpr char kName[] = "org.freedesktop.RealtimeKit1";

// A dbus-daemon, which stands for the system's.
class Daemon {
 public:
  Daemon() {
    int out[2];
    CHECK(pipe(out) == 0);
    child_ = fork();
    if (child_ == 0) {
      dup2(out[1], 1);
      execlp("dbus-daemon", "dbus-daemon", "--session", "--nofork", "--print-address", nullptr);
      _exit(127);
    }
    close(out[1]);
    char c;
    while (read(out[0], &c, 1) == 1 && c != '\n') address_ += c;
    close(out[0]);
    CHECK(!address_.empty());
    setenv("DBUS_SYSTEM_BUS_ADDRESS", address_.c_str(), 1);
  }
  ~Daemon() { end(); }
  void end() {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    child_ = 0;
  }
  const std::string& address() const { return address_; }

 private:
  pid_t child_ = 0;
  std::string address_;
};

class Service {
 public:
  enum class Mood { kGrants, kRefuses, kSilent };
  Service(const Daemon& daemon, Mood mood) : mood_(mood) {
    connection_ = dbus_connection_open_private(daemon.address().c_str(), nullptr);
    CHECK(connection_ != nullptr);
    dbus_connection_set_exit_on_disconnect(connection_, 0);
    CHECK(dbus_bus_register(connection_, nullptr));
    CHECK(dbus_bus_request_name(connection_, kName, 0, nullptr) ==
          DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER);
    serving_ = std::thread([this] {
      while (!ending_.load() && dbus_connection_read_write(connection_, 10)) {
        while (DBusMessage* message = dbus_connection_pop_message(connection_)) {
          answer(message);
          dbus_message_unref(message);
        }
      }
    });
  }
  ~Service() {
    ending_.store(true);
    serving_.join();
    dbus_connection_close(connection_);
    dbus_connection_unref(connection_);
  }

  std::atomic<uint64_t> thread{0};
  std::atomic<uint32_t> priority{0};

 private:
  void answer(DBusMessage* message) {
    if (mood_ == Mood::kSilent) return;
    DBusMessage* reply = nullptr;
    if (dbus_message_is_method_call(message, "org.freedesktop.DBus.Properties", "Get")) {
      reply = property(message);
    } else if (dbus_message_is_method_call(message, kName, "MakeThreadRealtime")) {
      reply = make_realtime(message);
    }
    if (!reply) return;
    dbus_connection_send(connection_, reply, nullptr);
    dbus_connection_flush(connection_);
    dbus_message_unref(reply);
  }

  // The priority is an int32 there, the time an int64.
  static DBusMessage* property(DBusMessage* message) {
    const char* interface = nullptr;
    const char* name = nullptr;
    dbus_message_get_args(message, nullptr, DBUS_TYPE_STRING, &interface, DBUS_TYPE_STRING, &name,
                          DBUS_TYPE_INVALID);
    const bool is_priority = std::string(name) == "MaxRealtimePriority";
    DBusMessage* reply = dbus_message_new_method_return(message);
    DBusMessageIter outer, inner;
    dbus_message_iter_init_append(reply, &outer);
    dbus_message_iter_open_container(&outer, DBUS_TYPE_VARIANT, is_priority ? "i" : "x", &inner);
    if (is_priority) {
      dbus_message_iter_append_basic(&inner, DBUS_TYPE_INT32, &kHighest);
    } else {
      dbus_message_iter_append_basic(&inner, DBUS_TYPE_INT64, &kMostRunUs);
    }
    dbus_message_iter_close_container(&outer, &inner);
    return reply;
  }

  DBusMessage* make_realtime(DBusMessage* message) {
    dbus_uint64_t asked_thread = 0;
    dbus_uint32_t asked_priority = 0;
    const bool typed =
        dbus_message_get_args(message, nullptr, DBUS_TYPE_UINT64, &asked_thread, DBUS_TYPE_UINT32,
                              &asked_priority, DBUS_TYPE_INVALID) != 0;
    thread.store(asked_thread);
    priority.store(asked_priority);
    rlimit limit;
    getrlimit(RLIMIT_RTTIME, &limit);
    const bool allowed = limit.rlim_max <= static_cast<rlim_t>(kMostRunUs) &&
                         asked_priority <= static_cast<uint32_t>(kHighest);
    if (typed && allowed && mood_ == Mood::kGrants) return dbus_message_new_method_return(message);
    return dbus_message_new_error(message, DBUS_ERROR_ACCESS_DENIED, "no more threads for you");
  }

  const Mood mood_;
  DBusConnection* connection_ = nullptr;
  std::atomic<bool> ending_{false};
  std::thread serving_;
};

int64_t this_thread() { return syscall(SYS_gettid); }

bool has(const std::string& text, const char* part) {
  if (text.find(part) != std::string::npos) return true;
  std::printf("  '%s' does not contain '%s'\n", text.c_str(), part);
  return false;
}

}  // namespace

TEST(
    "a thread gets the highest priority that RealtimeKit grants, and no more than the requested "
    "one") {
  const Daemon daemon;
  Service service(daemon, Service::Mood::kGrants);
  for (const int asked : {3, 10}) {
    const RealtimeRequest request(this_thread(), asked);
    const ThreadPriority::Answer answer = request.answer();
    CHECK(answer.granted && answer.why_not.empty());
    if (!answer.granted) std::printf("  %s\n", answer.why_not.c_str());
    CHECK(service.thread == static_cast<uint64_t>(this_thread()));
    CHECK(service.priority == static_cast<uint32_t>(asked < kHighest ? asked : kHighest));
  }
}

TEST("the reason is RealtimeKit's answer to a request that it does not grant") {
  const Daemon daemon;
  const Service service(daemon, Service::Mood::kRefuses);
  const RealtimeRequest request(this_thread(), 10);
  const ThreadPriority::Answer answer = request.answer();
  CHECK(!answer.granted && has(answer.why_not, "no more threads for you"));
}

TEST("a service that does not answer costs the thread nothing, and its end half a second") {
  const Daemon daemon;
  const Service service(daemon, Service::Mood::kSilent);
  const int64_t start = real_clock().now();
  auto request = std::make_unique<RealtimeRequest>(this_thread(), 10);
  CHECK(real_clock().now() - start < 300 * kNsPerMs);
  request.reset();
  CHECK(real_clock().now() - start < 3 * kNsPerSecond);
  const RealtimeRequest other(this_thread(), 10);
  CHECK(!other.answer().granted);
}

TEST("without RealtimeKit, or without a bus, the reason says so") {
  Daemon daemon;
  const RealtimeRequest without_service(this_thread(), 10);
  CHECK(!without_service.answer().granted);
  CHECK(has(without_service.answer().why_not, "RealtimeKit"));
  daemon.end();
  const RealtimeRequest without_bus(this_thread(), 10);
  CHECK(!without_bus.answer().granted && has(without_bus.answer().why_not, "message bus"));
}

TEST("a message bus that ends during a request ends nothing else") {
  Daemon daemon;
  const Service service(daemon, Service::Mood::kSilent);
  const RealtimeRequest request(this_thread(), 10);
  daemon.end();
  CHECK(!request.answer().granted);
}
