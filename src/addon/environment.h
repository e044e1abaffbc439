// The state of the addon for each Node environment (main thread, worker): the control thread that
// calls the audio systems, the wake-ups of JavaScript, and the order in which all of it ends.
#pragma once

#include <napi.h>

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

#include "../core/time/clock.h"
#include "bell.h"
#include "host_entry.h"
#include "loop_signal.h"
#include "session.h"
#include "waker.h"

namespace patchcord {

class Environment : public std::enable_shared_from_this<Environment> {
 public:
  static std::shared_ptr<Environment> of(Napi::Env env);
  explicit Environment(Napi::Env env);

  using Done = std::function<void(Napi::Env)>;
  // JS thread. `work` runs on the control thread, `done` then on the JS thread. The process stays
  // alive meanwhile.
  void run(std::function<void()> work, Done done);
  // As run(), but returns a promise: it is rejected with the error's record, or resolved with the
  // value that `result` makes. In a worker that has begun to end it does nothing and returns an
  // empty value.
  Napi::Value promise(Napi::Env env, std::function<Error()> work,
                      std::function<Napi::Value(Napi::Env)> result);
  // Any thread except audio threads: calls `done` on the JS thread, after every wake that came
  // before.
  void complete(Done done);

  void ref();  // JS thread: counted; keeps the process alive
  void unref();
  // JS thread. Keeps the process, and `owner`, alive until JavaScript has received everything that
  // was rung so far. It is needed for an end, or audio, that comes from JavaScript itself, because
  // no open device keeps the process alive then.
  void stay_until_told(const Napi::Value& owner);

  std::shared_ptr<Bell> bell() const { return std::make_shared<Bell>(signal_); }
  void add(Waker* waker) { wakers_.push_back(waker); }  // JS thread
  void remove(Waker* waker);                            // JS thread; may be called twice

  // JS thread. A system that all objects of the environment share.
  std::shared_ptr<HostEntry> host(const std::string& name, Clock& clock,
                                  HostEntry::Connect connect);
  // JS thread. A host that lives as long as the objects that reference it.
  std::shared_ptr<HostEntry> make_host(const std::string& name, Clock& clock,
                                       HostEntry::Connect connect, std::function<void()> ended);

  // Control thread and JS thread: sessions that shut-down releases.
  void add(const std::shared_ptr<Session>& session);
  void remove(const std::shared_ptr<Session>& session);

 private:
  void control_loop();
  void dispatch();   // JS thread: what the loop calls when the signal was sent
  void serve_all();  // JS thread: the wakes, then the completions
  // JS thread, once, when the environment ends. The loop continues until it has released signal_.
  static void on_cleanup(napi_async_cleanup_hook_handle hook, void* self);
  void shut_down();
  std::vector<std::shared_ptr<HostEntry>> open_hosts();

  Napi::Env env_;
  // serve_all() as a JavaScript function. A callback with an async context would need
  // napi_async_destroy(), which ends the process in Deno: there is no handle scope at exit.
  Napi::FunctionReference serve_all_;
  const std::shared_ptr<LoopSignal> signal_;
  int references_ = 0;
  std::vector<Waker*> wakers_;  // JS thread
  std::map<std::string, std::shared_ptr<HostEntry>> hosts_;
  std::vector<std::weak_ptr<HostEntry>> all_hosts_;

  std::mutex sessions_mutex_;
  std::set<std::shared_ptr<Session>> sessions_;

  std::mutex completions_mutex_;
  std::vector<Done> completions_;

  std::mutex control_mutex_;
  std::condition_variable control_wakeup_;
  std::deque<std::function<void()>> commands_;
  // Control thread: when JavaScript asked for the present command, on the real clock.
  const std::shared_ptr<int64_t> asked_at_ = std::make_shared<int64_t>(0);
  bool control_stopping_ = false;
  std::thread control_;
};

}  // namespace patchcord
