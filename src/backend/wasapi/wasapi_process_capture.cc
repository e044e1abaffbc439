#include "wasapi_process_capture.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "../../core/graph/tap_sum.h"
#include "../../core/shown.h"
#include "../program_state.h"
#include "process_loopback.h"
#include "wasapi_stream.h"

namespace patchcord {
namespace {

constexpr int64_t kLook = 250 * kNsPerMs;
// A tree that could not be captured is tried again: its program may only just have begun.
constexpr int64_t kRetry = 2 * kNsPerSecond;
// As many trees are listened to before they play; of more, those that do.
constexpr size_t kMostSilentTaps = 16;

struct Target {
  ProcessId process;
  bool exclude_tree = false;

  bool operator==(const Target& other) const {
    return process == other.process && exclude_tree == other.exclude_tree;
  }
};

class WasapiProcessCapture;

// A session that is wanted.
struct Playing {
  Ancestry process;
  std::string device_id;
  bool active;
};

// One activation. Its callbacks come on the audio thread of its stream.
class LoopbackTap final : public CaptureListener {
 public:
  LoopbackTap(WasapiProcessCapture* owner, const Target& target) : target(target), owner_(*owner) {}

  void on_packet(const Packet& packet) noexcept override;
  void on_idle() noexcept override { tap->idle(); }
  void on_lost(const Error& error) noexcept override;

  const Target target;
  std::shared_ptr<TapSum::Tap> tap;
  std::unique_ptr<Stream> stream;
  bool told = false;  // that it is heard
  std::atomic<int64_t> heard_at{kNoTime};
  Error loss;  // handed over by `lost`
  std::atomic<bool> lost{false};

 private:
  WasapiProcessCapture& owner_;
};

class WasapiProcessCapture final : public ProcessStream,
                                   private TapSum::Output,
                                   private SessionBoard::Follower {
 public:
  WasapiProcessCapture(const ProcessCaptureRequest& request, std::shared_ptr<Announcer> announcer,
                       std::shared_ptr<SessionBoard> sessions, TapSums* sums,
                       CaptureListener* listener, TapListener* taps)
      : announcer_(std::move(announcer)),
        sessions_(std::move(sessions)),
        listener_(*listener),
        taps_listener_(*taps),
        sum_(sums, request.preferred.sample_rate, request.preferred.channels, this),
        selected_(request.selection) {
    info_.format = request.preferred;
    info_.format.sample_format = SampleFormat::kF32;
    info_.period_frames = request.period_frames;
  }
  ~WasapiProcessCapture() override { stop(); }

  // Control thread.
  const StreamInfo& info() const override { return info_; }
  Error start() override;
  void stop() override;
  void select(const ProcessSelection& selection) override {
    {
      std::lock_guard<std::mutex> lock(selecting_);
      selected_ = selection;
    }
    look_again();
  }

  EndpointState endpoint() const noexcept override { return programs_.load(); }  // any thread

  void look_again() noexcept {  // any thread
    changed_.store(true, std::memory_order_release);
    // stop() waits until nobody is in here; sequentially consistent, as a Gate.
    waking_.fetch_add(1);
    if (Clock::Task* task = follower_shown_.load()) task->wake();
    waking_.fetch_sub(1);
  }

 private:
  void on_sum(const float* samples, uint32_t frames, int64_t position,
              int64_t time) noexcept override;
  void on_sessions_changed() noexcept override { look_again(); }

  // The follower's thread; before it runs, and after it ended, the control thread's.
  int64_t step(int64_t now);
  Error follow(int64_t now);
  std::vector<Playing> playing();
  std::vector<Target> wanted(const std::vector<Playing>& playing) const;
  void tell_of(const std::vector<Playing>& playing);
  void observe();
  Error attach(const Target& target, int64_t now);
  void detach(LoopbackTap* tap);
  void tell(TapEvent::Kind kind, const ProcessId& process, int64_t time, Error error = {},
            std::string device_id = {});

  const std::shared_ptr<Announcer> announcer_;
  const std::shared_ptr<SessionBoard> sessions_;
  CaptureListener& listener_;
  TapListener& taps_listener_;
  StreamInfo info_;
  TapSum sum_;

  std::mutex selecting_;
  ProcessSelection selected_;  // as asked last
  std::atomic<bool> changed_{true};

  const std::unique_ptr<ProcessTable> table_ = system_processes();
  ProcessSelector selector_;
  std::vector<std::unique_ptr<LoopbackTap>> taps_;
  struct Failed {
    Target target;
    int64_t again_at;
  };
  std::vector<Failed> failed_;
  bool over_ = false;
  std::vector<uint32_t> pids_;  // of the sessions that are wanted
  Shown<EndpointState> programs_;
  // Who is heard of everything but one tree, as it was told.
  struct Heard {
    ProcessId process;
    std::string device_id;

    bool operator==(const Heard& other) const {
      return process == other.process && device_id == other.device_id;
    }
  };
  std::vector<Heard> heard_;

  std::atomic<int> waking_{0};
  std::atomic<Clock::Task*> follower_shown_{nullptr};
  std::unique_ptr<Clock::Task> follower_;
};

void LoopbackTap::on_packet(const Packet& packet) noexcept {
  tap->packet(packet.data, packet.frames, packet.position, packet.time, packet.discontinuity);
  // Silent packets say nothing of whether the program plays.
  if (packet.data == nullptr || packet.time == kNoTime) return;
  if (heard_at.load(std::memory_order_relaxed) != kNoTime) return;
  heard_at.store(packet.time, std::memory_order_release);
  owner_.look_again();
}

void LoopbackTap::on_lost(const Error& error) noexcept {
  loss = error;
  lost.store(true, std::memory_order_release);
  owner_.look_again();
}

Error WasapiProcessCapture::start() {
  if (follower_) return Error::none();
  selector_.select(selected_);
  sum_.start();
  // The first look is the caller's: what can never be captured is an error at once.
  if (Error error = follow(real_clock().now())) {
    stop();
    return error;
  }
  sessions_->add(this);
  follower_ = real_clock().start("patchcord-follow", Priority::kNormal,
                                 [this](int64_t now) { return step(now); });
  follower_shown_.store(follower_.get());
  look_again();
  return Error::none();
}

void WasapiProcessCapture::stop() {
  sessions_->remove(this);
  follower_shown_.store(nullptr);
  while (waking_.load() != 0) std::this_thread::yield();
  follower_.reset();
  for (auto& tap : taps_) tap->stream.reset();
  sum_.stop();
  taps_.clear();
}

void WasapiProcessCapture::on_sum(const float* samples, uint32_t frames, int64_t position,
                                  int64_t time) noexcept {
  Packet packet;
  packet.data = samples;
  packet.frames = frames;
  packet.position = position;
  packet.time = time;
  listener_.on_packet(packet);
}

int64_t WasapiProcessCapture::step(int64_t now) {
  if (over_) return kNever;
  const bool retry = std::any_of(failed_.begin(), failed_.end(),
                                 [now](const Failed& one) { return one.again_at <= now; });
  if (changed_.exchange(false, std::memory_order_acq_rel) || retry) {
    {
      std::lock_guard<std::mutex> lock(selecting_);
      selector_.select(selected_);
    }
    // A host that lost its service is not used again.
    if (const Error error = follow(now); error.code == ErrorCode::kBackendUnavailable) {
      over_ = true;
      sum_.stop();
      listener_.on_lost(error);
      return kNever;
    }
  }
  observe();
  for (auto& tap : taps_) {
    const int64_t heard_at = tap->heard_at.load(std::memory_order_acquire);
    // Of everything but one tree the sessions tell who is heard.
    if (tap->target.exclude_tree || tap->told || heard_at == kNoTime) continue;
    tap->told = true;
    tell(TapEvent::Kind::kAttached, tap->target.process, heard_at);
  }
  for (const ProcessId& process : selector_.take_gone(*table_)) {
    tell(TapEvent::Kind::kGone, process, now);
    changed_.store(true, std::memory_order_release);
  }
  return now + kLook;
}

std::vector<Playing> WasapiProcessCapture::playing() {
  std::vector<Playing> wanted;
  pids_.clear();
  for (const SessionInfo& session : sessions_->sessions()) {
    Ancestry process = process_of(*table_, session.pid);
    if (!selector_.wants(process)) continue;
    wanted.push_back({std::move(process), session.device_id, session.active});
    pids_.push_back(session.pid);
  }
  return wanted;
}

// What the system says of those that are wanted, beside their sound.
void WasapiProcessCapture::observe() {
  ProgramState state;
  for (const SessionInfo& one : sessions_->sessions()) {
    if (std::find(pids_.begin(), pids_.end(), one.pid) == pids_.end()) continue;
    state.add(one.active, one.muted, one.volume, one.level);
  }
  programs_.store(state.get());
}

// Everything but one tree is one activation, which does not say whose sound it is.
void WasapiProcessCapture::tell_of(const std::vector<Playing>& playing) {
  std::vector<Heard> now;
  const bool together = std::any_of(taps_.begin(), taps_.end(),
                                    [](const auto& tap) { return tap->target.exclude_tree; });
  for (const Playing& one : playing) {
    Heard heard{one.process.front().id, one.device_id};
    if (!together || !one.active) continue;
    if (std::find(now.begin(), now.end(), heard) == now.end()) now.push_back(std::move(heard));
  }
  const auto tell_those = [this](TapEvent::Kind kind, const std::vector<Heard>& of,
                                 const std::vector<Heard>& without) {
    for (const Heard& one : of) {
      if (std::find(without.begin(), without.end(), one) != without.end()) continue;
      tell(kind, one.process, real_clock().now(), {}, one.device_id);
    }
  };
  tell_those(TapEvent::Kind::kDetached, heard_, now);
  tell_those(TapEvent::Kind::kAttached, now, heard_);
  heard_ = std::move(now);
}

// Excludes cannot be added up: one excluded tree is one activation, anything else the sum of the
// programs that play and are wanted.
std::vector<Target> WasapiProcessCapture::wanted(const std::vector<Playing>& playing) const {
  const ProcessSelection& selection = selector_.selection();
  std::vector<Target> targets;
  if (selection.everything && selection.exclude.size() <= 1) {
    const ProcessId system{kSystemProcess, 0};
    targets.push_back({selection.exclude.empty() ? system : selection.exclude[0], true});
    return targets;
  }
  if (!selection.everything && selection.exclude.empty() &&
      selection.include.size() <= kMostSilentTaps) {
    for (const ProcessId& root : selection.include) {
      if (root.start_time == 0 || table_->runs(root)) targets.push_back({root, false});
    }
  }
  std::vector<Ancestry> sounding;
  for (const Playing& one : playing) sounding.push_back(one.process);
  const auto covers = [&](const Ancestry& process) {
    return std::any_of(process.begin(), process.end(), [&](const ProcessRecord& one) {
      return std::any_of(targets.begin(), targets.end(),
                         [&](const Target& target) { return target.process == one.id; });
    });
  };
  // Ancestors first: a tree holds its children.
  std::sort(sounding.begin(), sounding.end(),
            [](const Ancestry& a, const Ancestry& b) { return a.size() < b.size(); });
  for (const Ancestry& process : sounding) {
    if (!covers(process)) targets.push_back({process.front().id, false});
  }
  return targets;
}

// An error only when nothing can be captured that was asked for, or the service has gone.
Error WasapiProcessCapture::follow(int64_t now) {
  const std::vector<Playing> playing = this->playing();
  const std::vector<Target> targets = wanted(playing);
  for (const auto& tap : taps_) {
    if (tap->lost.load(std::memory_order_acquire) &&
        tap->loss.code == ErrorCode::kBackendUnavailable) {
      return tap->loss;
    }
  }
  for (auto& tap : taps_) {
    const bool keep = !tap->lost.load(std::memory_order_acquire) &&
                      std::find(targets.begin(), targets.end(), tap->target) != targets.end();
    if (keep) continue;
    detach(tap.get());
    tap.reset();
  }
  taps_.erase(std::remove(taps_.begin(), taps_.end(), nullptr), taps_.end());
  failed_.erase(std::remove_if(failed_.begin(), failed_.end(),
                               [now](const Failed& one) { return one.again_at <= now; }),
                failed_.end());
  Error first;
  for (const Target& target : targets) {
    const bool known = std::any_of(taps_.begin(), taps_.end(),
                                   [&](const auto& tap) { return tap->target == target; }) ||
                       std::any_of(failed_.begin(), failed_.end(),
                                   [&](const Failed& one) { return one.target == target; });
    if (known) continue;
    Error error = attach(target, now);
    if (error && !first) first = std::move(error);
  }
  tell_of(playing);
  return taps_.empty() ? first : Error::none();
}

Error WasapiProcessCapture::attach(const Target& target, int64_t now) {
  auto tap = std::make_unique<LoopbackTap>(this, target);
  Error error = WasapiStream::open(
      {}, make_process_work(target.process.pid, target.exclude_tree, info_.format, tap.get()),
      announcer_, nullptr, &tap->stream);
  if (!error) {
    tap->tap = sum_.add(tap->stream->info().format);
    error = tap->stream->start();
    if (!error) {
      taps_.push_back(std::move(tap));
      return error;
    }
    tap->stream.reset();
    sum_.end(tap->tap);
  }
  error = explain_process_failure(std::move(error), target.process.pid);
  failed_.push_back({target, now + kRetry});
  if (follower_) tell(TapEvent::Kind::kFailed, target.process, now, error);
  return error;
}

void WasapiProcessCapture::detach(LoopbackTap* tap) {
  tap->stream.reset();
  sum_.end(tap->tap);
  if (tap->told) tell(TapEvent::Kind::kDetached, tap->target.process, real_clock().now());
}

void WasapiProcessCapture::tell(TapEvent::Kind kind, const ProcessId& process, int64_t time,
                                Error error, std::string device_id) {
  TapEvent event;
  event.kind = kind;
  event.process = process;
  event.time = time;
  event.error = std::move(error);
  event.device_id = std::move(device_id);
  taps_listener_.on_tap(event);
}

}  // namespace

Error open_wasapi_processes(const ProcessCaptureRequest& request,
                            std::shared_ptr<Announcer> announcer,
                            std::shared_ptr<SessionBoard> sessions, TapSums* sums,
                            CaptureListener* listener, TapListener* taps,
                            std::unique_ptr<ProcessStream>* stream) {
  *stream = std::make_unique<WasapiProcessCapture>(request, std::move(announcer),
                                                   std::move(sessions), sums, listener, taps);
  return Error::none();
}

}  // namespace patchcord
