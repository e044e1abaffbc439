#include "environment.h"

#include <algorithm>
#include <utility>

#include "values.h"

namespace patchcord {
namespace {

struct InstanceData {
  std::shared_ptr<Environment> environment;
};

}  // namespace

Waker::Waker(std::shared_ptr<Environment> environment, const Napi::Function& callback)
    : environment_(std::move(environment)), callback_(Napi::Persistent(callback)) {
  environment_->wakers_.push_back(this);
}

Waker::~Waker() { silence(); }

void Waker::wake() noexcept {
  if (!dirty_.exchange(true, std::memory_order_acq_rel)) environment_->notify();
}

void Waker::silence() {
  auto& all = environment_->wakers_;
  all.erase(std::remove(all.begin(), all.end(), this), all.end());
  callback_.Reset();
}

Error HostEntry::use(std::shared_ptr<Host>* host) {
  if (lost_.exchange(false, std::memory_order_acq_rel)) {
    if (host_) host_->watch(nullptr);
    host_.reset();
  }
  if (!host_) {
    std::unique_ptr<Host> connected;
    if (Error error = connect_(&connected)) return error;
    host_ = std::move(connected);
    host_->watch(this);
  }
  *host = host_;
  return Error::none();
}

void HostEntry::close() {
  if (host_) host_->watch(nullptr);
  host_.reset();
}

void HostEntry::add_watcher(Watched what, Waker* watcher) {
  std::lock_guard<std::mutex> lock(watchers_mutex_);
  watchers_[watcher] = what;
}

void HostEntry::remove_watcher(Waker* watcher) {
  std::lock_guard<std::mutex> lock(watchers_mutex_);
  watchers_.erase(watcher);
}

void HostEntry::tell(Watched what) noexcept {
  std::lock_guard<std::mutex> lock(watchers_mutex_);
  for (const auto& [watcher, watched] : watchers_) {
    if (watched == what) watcher->wake();
  }
}

void HostEntry::on_backend_lost(const Error&) noexcept {
  lost_.store(true, std::memory_order_release);
  tell(Watched::kDevices);
  tell(Watched::kProcesses);
}

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
    : env_(env), context_(env, "patchcord"), signal_(env, [this] { dispatch(); }) {
  control_ = std::thread([this] { control_loop(); });
}

void Environment::on_cleanup(napi_async_cleanup_hook_handle hook, void* self) {
  auto* environment = static_cast<Environment*>(self);
  environment->shut_down();
  environment->signal_.close([hook] { napi_remove_async_cleanup_hook(hook); });
}

void Environment::shut_down() {
  // Devices first: when the control thread has ended no device's thread of ours runs any more. What
  // pumps a mixer does, until its object goes: LoopSignal bears it.
  {
    std::lock_guard<std::mutex> lock(control_mutex_);
    commands_.push_back([this] {
      for (Session* session : std::set<Session*>(sessions_)) session->release();
      for (auto& entry : hosts_) entry.second->close();
      for (auto& entry : anonymous_hosts_) entry->close();
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
    commands_.push_back([this, work = std::move(work), done = std::move(done)]() mutable {
      work();
      // `work` goes with the completion: what it holds may only be destroyed on the JS thread.
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
  // Not Napi::Promise::Deferred: in a worker that is being terminated no promise can be made, and
  // that class then hands on what its memory holds.
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
  notify();
}

void Environment::dispatch() {
  const Napi::Env env = env_;
  Napi::HandleScope scope(env);
  // Its end runs the microtasks and process.nextTick()'s, as after any callback of Node's.
  Napi::CallbackScope callback_scope(env, context_);
  // Completions are taken before the wakes are served and run after them: whoever waits for one has
  // by then received everything that came before it.
  std::vector<Done> completions;
  {
    std::lock_guard<std::mutex> lock(completions_mutex_);
    completions.swap(completions_);
  }
  const auto settle = [env] {
    if (env.IsExceptionPending()) {
      Napi::Error error = env.GetAndClearPendingException();
      napi_fatal_exception(env, error.Value());
    }
  };
  for (Waker* waker : std::vector<Waker*>(wakers_)) {
    Napi::HandleScope scope(env);
    // A callback may have removed this one.
    if (std::find(wakers_.begin(), wakers_.end(), waker) == wakers_.end()) continue;
    if (!waker->dirty_.exchange(false, std::memory_order_acq_rel)) continue;
    waker->callback_.Call({});
    settle();
  }
  for (Done& done : completions) {
    Napi::HandleScope scope(env);
    done(env);
    settle();
  }
}

void Environment::ref() {
  if (references_++ == 0) signal_.ref();
}

void Environment::unref() {
  if (--references_ == 0) signal_.unref();
}

std::shared_ptr<HostEntry> Environment::host(const std::string& name, Clock& clock,
                                             HostEntry::Connect connect) {
  auto found = hosts_.find(name);
  if (found != hosts_.end()) return found->second;
  return hosts_[name] = std::make_shared<HostEntry>(name, clock, std::move(connect));
}

}  // namespace patchcord
