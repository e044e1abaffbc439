// What the addon keeps for each Node environment (main thread, worker): the control thread that
// talks to the systems, what wakes JavaScript, and the order in which all of it ends.
#pragma once

#include <napi.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "../backend/backend.h"
#include "../core/graph/producer.h"
#include "../core/time/clock.h"
#include "loop_signal.h"

namespace patchcord {

class Environment;

// One JavaScript callback that any thread can cause to be called, soon and once for many wakes.
class Waker final : public Wakeup {
 public:
  Waker(std::shared_ptr<Environment> environment, const Napi::Function& callback);
  ~Waker();
  void wake() noexcept override;  // any thread, audio threads too
  void silence();                 // JS thread: no more calls; the callback is released

 private:
  friend class Environment;
  std::shared_ptr<Environment> environment_;
  std::atomic<bool> dirty_{false};
  Napi::FunctionReference callback_;
};

// A connection to one audio system. Connected at the first use, anew when it was lost. Control
// thread except where said.
class HostEntry final : public DeviceListener, public std::enable_shared_from_this<HostEntry> {
 public:
  using Connect = std::function<Error(std::unique_ptr<Host>*)>;
  HostEntry(std::string name, Clock& clock, Connect connect)
      : name_(std::move(name)), clock_(clock), connect_(std::move(connect)) {}

  const std::string& name() const { return name_; }  // any thread
  Clock& clock() const { return clock_; }            // any thread

  // Streams hold what they were opened on, so that a lost connection lasts as long as they do.
  Error use(std::shared_ptr<Host>* host);
  void close();

  // JS thread.
  enum class Watched : uint8_t { kDevices, kProcesses };
  void add_watcher(Watched what, Waker* watcher);
  void remove_watcher(Waker* watcher);
  void on_devices_changed() noexcept override { tell(Watched::kDevices); }
  void on_processes_changed() noexcept override { tell(Watched::kProcesses); }
  void on_backend_lost(const Error& error) noexcept override;

  // Devices that this environment plays to; 'default' never means one of them.
  std::multiset<std::string> fed;

 private:
  void tell(Watched what) noexcept;

  const std::string name_;
  Clock& clock_;
  const Connect connect_;
  std::shared_ptr<Host> host_;
  std::atomic<bool> lost_{false};
  std::mutex watchers_mutex_;
  std::map<Waker*, Watched> watchers_;
};

// Something that holds a device and must let go of it before its host does.
class Session {
 public:
  virtual ~Session() = default;
  virtual void release() noexcept = 0;  // control thread
};

class Environment : public std::enable_shared_from_this<Environment> {
 public:
  static std::shared_ptr<Environment> of(Napi::Env env);
  explicit Environment(Napi::Env env);

  using Done = std::function<void(Napi::Env)>;
  // JS thread. `work` runs on the control thread, `done` then on the JS thread. The process stays
  // alive meanwhile.
  void run(std::function<void()> work, Done done);
  // As run, as a promise: rejected with the error's record, or resolved with what `result` makes.
  // Empty, with nothing done, in a worker whose end has begun.
  Napi::Value promise(Napi::Env env, std::function<Error()> work,
                      std::function<Napi::Value(Napi::Env)> result);
  // Any thread but an audio thread: `done` on the JS thread, after every wake that came before.
  void complete(Done done);

  void notify() noexcept { signal_.send(); }  // any thread
  void ref();                                 // JS thread: counted; keeps the process alive
  void unref();

  std::shared_ptr<HostEntry> host(const std::string& name, Clock& clock,
                                  HostEntry::Connect connect);
  void add_host(std::shared_ptr<HostEntry> entry) { anonymous_hosts_.push_back(std::move(entry)); }
  void add(Session* session) { sessions_.insert(session); }    // control thread
  void remove(Session* session) { sessions_.erase(session); }  // control thread

 private:
  friend class Waker;
  void control_loop();
  void dispatch();
  // JS thread, once, when the environment ends. The loop runs on until it has let go of signal_.
  static void on_cleanup(napi_async_cleanup_hook_handle hook, void* self);
  void shut_down();

  Napi::Env env_;
  Napi::AsyncContext context_;
  LoopSignal signal_;
  int references_ = 0;
  std::vector<Waker*> wakers_;  // JS thread
  std::map<std::string, std::shared_ptr<HostEntry>> hosts_;
  std::vector<std::shared_ptr<HostEntry>> anonymous_hosts_;
  std::set<Session*> sessions_;

  std::mutex completions_mutex_;
  std::vector<Done> completions_;

  std::mutex control_mutex_;
  std::condition_variable control_wakeup_;
  std::deque<std::function<void()>> commands_;
  bool control_stopping_ = false;
  std::thread control_;
};

}  // namespace patchcord
