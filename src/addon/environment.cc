#include "environment.h"

#include <algorithm>
#include <utility>

#include "values.h"

namespace patchcord {
namespace {

struct InstanceData {
  std::shared_ptr<Environment> environment;
};

// JS thread. Turns an exception thrown by JavaScript into an uncaught exception of the process.
void report_exception(Napi::Env env) {
  if (!env.IsExceptionPending()) return;
  Napi::Error error = env.GetAndClearPendingException();
  napi_fatal_exception(env, error.Value());
}

}  // namespace

std::shared_ptr<Environment> Environment::of(Napi::Env env) {
  InstanceData* data = env.GetInstanceData<InstanceData>();
  if (data == nullptr) {
    data = new InstanceData{std::make_shared<Environment>(env)};
    env.SetInstanceData(data);
    napi_add_async_cleanup_hook(env, on_cleanup, data->environment.get(), nullptr);
  }
  return data->environment;
}

Environment::Environment(Napi::Env env)
    : env_(env),
      serve_all_(Napi::Persistent(
          Napi::Function::New(env, [this](const Napi::CallbackInfo&) { serve_all(); }))),
      signal_(std::make_shared<LoopSignal>(env, [this] { dispatch(); })) {
  control_ = std::thread([this] { control_loop(); });
}

void Environment::on_cleanup(napi_async_cleanup_hook_handle hook, void* self) {
  auto* environment = static_cast<Environment*>(self);
  environment->shut_down();
  environment->serve_all_.Reset();
  environment->signal_->close([hook] { napi_remove_async_cleanup_hook(hook); });
}

// Once the control thread has ended, no thread of ours runs any more: no signal is sent, and the
// objects may be finalised in any order.
void Environment::shut_down() {
  const std::vector<std::shared_ptr<HostEntry>> hosts = open_hosts();
  {
    std::lock_guard<std::mutex> lock(control_mutex_);
    commands_.push_back([this, &hosts] {
      std::set<std::shared_ptr<Session>> sessions;
      {
        std::lock_guard<std::mutex> lock(sessions_mutex_);
        sessions = sessions_;
      }
      for (const auto& session : sessions) session->release();
      for (const auto& entry : hosts) entry->close();
    });
    control_stopping_ = true;
  }
  control_wakeup_.notify_one();
  control_.join();
  for (Waker* waker : std::vector<Waker*>(wakers_)) waker->silence();
  completions_.clear();
}

void Environment::control_loop() {
  for (;;) {
    std::function<void()> command;
    {
      std::unique_lock<std::mutex> lock(control_mutex_);
      control_wakeup_.wait(lock, [this] { return !commands_.empty() || control_stopping_; });
      if (commands_.empty()) return;
      command = std::move(commands_.front());
      commands_.pop_front();
    }
    command();
  }
}

void Environment::run(std::function<void()> work, Done done) {
  ref();
  {
    std::lock_guard<std::mutex> lock(control_mutex_);
    commands_.push_back([this, asked_at = real_clock().now(), work = std::move(work),
                         done = std::move(done)]() mutable {
      *asked_at_ = asked_at;
      work();
      // `work` moves into the completion, because its captures may only be destroyed on the JS
      // thread.
      complete([this, work = std::move(work), done = std::move(done)](Napi::Env env) {
        unref();
        if (done) done(env);
      });
    });
  }
  control_wakeup_.notify_one();
}

Napi::Value Environment::promise(Napi::Env env, std::function<Error()> work,
                                 std::function<Napi::Value(Napi::Env)> result) {
  // Napi::Promise::Deferred does not serve: in a worker that is being terminated no promise can be
  // created, and that class then passes on uninitialised memory.
  napi_deferred deferred = nullptr;
  napi_value promise = nullptr;
  if (napi_create_promise(env, &deferred, &promise) != napi_ok) return {};
  auto error = std::make_shared<Error>();
  run([work = std::move(work), error] { *error = work(); },
      [deferred, error, result = std::move(result)](Napi::Env env) {
        if (*error) {
          napi_reject_deferred(env, deferred, error_to_value(env, *error));
        } else {
          napi_resolve_deferred(env, deferred, result ? result(env) : env.Undefined());
        }
      });
  return {env, promise};
}

void Environment::complete(Done done) {
  {
    std::lock_guard<std::mutex> lock(completions_mutex_);
    completions_.push_back(std::move(done));
  }
  signal_->send();
}

void Environment::dispatch() {
  Napi::HandleScope scope(env_);
  // After this call Node runs the microtasks and the callbacks of process.nextTick(), as after its
  // own callbacks. In a worker that is being terminated it calls nothing; shut_down() drops the
  // rest.
  napi_value ignored = nullptr;
  napi_make_callback(env_, nullptr, env_.Global(), serve_all_.Value(), 0, nullptr, &ignored);
  report_exception(env_);  // an exception of a microtask or of a process.nextTick() callback
}

void Environment::serve_all() {
  const Napi::Env env = env_;
  // Completions are taken before the wakes are served, and run after them. So when a completion
  // runs, JavaScript has received everything that came before it.
  std::vector<Done> completions;
  {
    std::lock_guard<std::mutex> lock(completions_mutex_);
    completions.swap(completions_);
  }
  for (const auto& entry : open_hosts()) entry->ring_watchers();
  for (Waker* waker : std::vector<Waker*>(wakers_)) {
    Napi::HandleScope scope(env);
    // A callback may have removed this one.
    if (std::find(wakers_.begin(), wakers_.end(), waker) == wakers_.end()) continue;
    waker->serve();
    report_exception(env);
  }
  for (Done& done : completions) {
    Napi::HandleScope scope(env);
    done(env);
    report_exception(env);
  }
}

void Environment::stay_until_told(const Napi::Value& owner) {
  ref();
  auto kept = std::make_shared<Napi::ObjectReference>(Napi::Persistent(owner.As<Napi::Object>()));
  complete([this, kept](Napi::Env) { unref(); });
}

void Environment::ref() {
  if (references_++ == 0) signal_->ref();
}

void Environment::unref() {
  if (--references_ == 0) signal_->unref();
}

void Environment::remove(Waker* waker) {
  wakers_.erase(std::remove(wakers_.begin(), wakers_.end(), waker), wakers_.end());
}

void Environment::add(const std::shared_ptr<Session>& session) {
  std::lock_guard<std::mutex> lock(sessions_mutex_);
  sessions_.insert(session);
}

void Environment::remove(const std::shared_ptr<Session>& session) {
  std::lock_guard<std::mutex> lock(sessions_mutex_);
  sessions_.erase(session);
}

std::shared_ptr<HostEntry> Environment::host(const std::string& name, Clock& clock,
                                             HostEntry::Connect connect) {
  auto found = hosts_.find(name);
  if (found != hosts_.end()) return found->second;
  return hosts_[name] = make_host(name, clock, std::move(connect), nullptr);
}

std::shared_ptr<HostEntry> Environment::make_host(const std::string& name, Clock& clock,
                                                  HostEntry::Connect connect,
                                                  std::function<void()> ended) {
  auto entry = std::make_shared<HostEntry>(name, clock, asked_at_, signal_, std::move(connect),
                                           std::move(ended));
  all_hosts_.push_back(entry);
  return entry;
}

std::vector<std::shared_ptr<HostEntry>> Environment::open_hosts() {
  std::vector<std::shared_ptr<HostEntry>> open;
  for (const std::weak_ptr<HostEntry>& one : all_hosts_) {
    if (auto entry = one.lock()) open.push_back(std::move(entry));
  }
  all_hosts_.assign(open.begin(), open.end());
  return open;
}

}  // namespace patchcord
