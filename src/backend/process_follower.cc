#include "process_follower.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <utility>

#include "../core/graph/life_signs.h"
#include "../core/graph/tap_sum.h"
#include "../core/shown.h"

namespace patchcord {
namespace {

// How often processes are listed. Systems announce streams, but not the ends of processes, which
// mostly follow the ends of streams.
constexpr int64_t kLook = 250 * kNsPerMs;
constexpr int64_t kSeldomLook = kNsPerSecond;
constexpr int64_t kSoonAfter = 2 * kNsPerSecond;  // after a change: kLook; later: kSeldomLook
// A failed attempt is repeated: a program may just have begun, a server may stand still.
constexpr int64_t kRetry = 2 * kNsPerSecond;

class Follower;

// Its callbacks run on the audio thread of its stream.
class Tap final : public CaptureListener {
 public:
  Tap(Follower* owner, TapTarget tapped) : target(std::move(tapped)), owner_(*owner) {}

  void on_packet(const Packet& packet) noexcept override;
  void on_idle(bool quiet) noexcept override { input->idle(quiet); }
  void on_unanswered() noexcept override { input->unanswered(); }
  void on_lost(const Error& error) noexcept override;

  TapTarget target;
  std::shared_ptr<TapSum::Tap> input;
  std::unique_ptr<Stream> stream;
  Format format;      // of the stream; set before it starts
  bool told = false;  // its first sound has been reported
  std::atomic<int64_t> heard_at{kNoTime};
  std::atomic<int64_t> heard_until{kNoTime};
  std::atomic<bool> sounds{false};  // a packet since the last look was not all zeros
  LifeSigns life{true};             // of its programs; the follower's thread
  Error loss;                       // set before `lost`
  std::atomic<bool> lost{false};

 private:
  Follower& owner_;
  int64_t stamped_position_ = 0;  // of the newest packet with a time
  int64_t stamp_ = kNoTime;
};

// Follows on its own thread, which may wait for the system's answers. An audio thread cannot wait,
// and the control thread must not wait for as long as the stream runs.
class Follower final : public ProcessStream, private TapSum::Output, private TapSystem::Listener {
 public:
  Follower(std::unique_ptr<TapSystem> system, TapSums* sums, const ProcessCaptureRequest& request,
           CaptureListener* listener, TapListener* taps);
  ~Follower() override { stop(); }

  // Control thread.
  const StreamInfo& info() const override { return info_; }
  Error start() override;
  void stop() override;
  void select(const ProcessSelection& selection) override;

  EndpointState endpoint() const noexcept override { return state_.load(); }  // any thread

  // Any thread, between the beginning of start() and the end of stop().
  void look_again() noexcept {
    changed_.store(true, std::memory_order_release);
    task_->wake();
  }

 private:
  struct Failed {
    std::string key;
    int64_t again_at = 0;
    bool told = false;
  };

  // The sum's audio thread.
  void on_sum(const float* samples, uint32_t frames, int64_t position,
              int64_t time) noexcept override;
  void on_unanswered() noexcept override { listener_.on_unanswered(); }
  void on_replaced(int64_t position, uint64_t frames) noexcept override {
    listener_.on_replaced(position, frames);
  }
  bool live() const noexcept override { return listener_.live(); }
  void on_programs_changed() noexcept override { look_again(); }

  // All of these with following_ held.
  int64_t step(int64_t now);
  Error follow(int64_t now);
  void tell_heard();
  void tell_dead(int64_t now);
  void keep_wanted(const std::vector<TapTarget>& targets, int64_t now);
  Error attach_missing(const std::vector<TapTarget>& targets, int64_t now);
  Error attach(const TapTarget& target, int64_t now);
  void report_failure(const TapTarget& target, const Error& error, int64_t now);
  void tell_players(std::vector<TapSystem::Player> players, int64_t now);
  void tell(TapEvent::Kind kind, const TapTarget& target, int64_t time, int64_t missed_ns = 0);
  bool waits_after_failure(const TapTarget& target, int64_t now) const;

  const std::unique_ptr<TapSystem> system_;
  const TapSystem::Traits traits_;
  Clock& clock_;
  CaptureListener& listener_;
  TapListener& taps_listener_;
  StreamInfo info_;
  TapSum sum_;
  Shown<EndpointState> state_;

  std::mutex selecting_;
  ProcessSelection selected_;  // the last selection of the app
  std::atomic<bool> changed_{true};
  std::atomic<bool> stopping_{false};

  std::mutex following_;  // held by each step, and by start() and stop() for what steps use
  const std::unique_ptr<ProcessTable> table_ = system_processes();
  ProcessSelector selector_;
  std::vector<std::unique_ptr<Tap>> taps_;
  std::vector<Failed> failed_;
  std::map<std::string, int64_t> interrupted_;  // until when streams without a tap were heard
  std::vector<TapSystem::Player> players_;      // as last reported
  bool running_ = false;
  int64_t changed_at_ = 0;
  int64_t retry_at_ = kNever;

  // Outlives every tap and the system's announcements, which wake it.
  std::unique_ptr<Clock::Task> task_;
};

void Tap::on_packet(const Packet& packet) noexcept {
  input->packet(packet.data, packet.frames, packet.position, packet.time, packet.discontinuity);
  // Packets flagged silent do not show that the program plays.
  if (packet.data == nullptr) return;
  if (!sounds.load(std::memory_order_relaxed)) {
    const auto* bytes = static_cast<const uint8_t*>(packet.data);
    const uint8_t* const end = bytes + packet.frames * bytes_per_frame(format);
    const bool zeros = std::all_of(bytes, end, [](uint8_t byte) { return byte == 0; });
    sounds.store(!zeros, std::memory_order_relaxed);
  }
  if (packet.time != kNoTime) {
    stamp_ = packet.time;
    stamped_position_ = packet.position;
  }
  if (stamp_ == kNoTime) return;
  const int64_t frames = packet.position + packet.frames - stamped_position_;
  heard_until.store(stamp_ + frames * kNsPerSecond / format.sample_rate, std::memory_order_release);
  if (packet.time == kNoTime) return;
  if (heard_at.load(std::memory_order_relaxed) != kNoTime) return;
  heard_at.store(packet.time, std::memory_order_release);
  owner_.look_again();
}

void Tap::on_lost(const Error& error) noexcept {
  loss = error;
  lost.store(true, std::memory_order_release);
  owner_.look_again();
}

Follower::Follower(std::unique_ptr<TapSystem> system, TapSums* sums,
                   const ProcessCaptureRequest& request, CaptureListener* listener,
                   TapListener* taps)
    : system_(std::move(system)),
      traits_(system_->traits()),
      clock_(sums->clock()),
      listener_(*listener),
      taps_listener_(*taps),
      sum_(sums, request.preferred.sample_rate, request.preferred.channels, this, request.max_wait),
      selected_(request.selection) {
  info_.format = request.preferred;
  info_.format.sample_format = SampleFormat::kF32;
  info_.period_frames = request.period_frames;
  info_.realtime = traits_.realtime;
}

Error Follower::start() {
  if (task_) return Error::none();
  stopping_.store(false);
  // The task does nothing before running_ is set, and it exists before any thread can wake it.
  task_ = clock_.start("patchcord-follow", Priority::kNormal, [this](int64_t now) {
    std::lock_guard<std::mutex> lock(following_);
    return step(now);
  });
  Error error = system_->begin(this);
  if (!error) {
    std::lock_guard<std::mutex> lock(following_);
    sum_.start();
    changed_.store(true);
    retry_at_ = kNever;
    if (traits_.answers_at_once) {
      selector_.select(selected_);
      error = follow(clock_.now());
    }
    running_ = !error;
  }
  if (error) {
    stop();
  } else {
    task_->wake();
  }
  return error;
}

void Follower::stop() {
  if (!task_) return;
  stopping_.store(true);
  system_->interrupt();
  system_->end();
  {
    std::lock_guard<std::mutex> lock(following_);
    running_ = false;
    for (auto& tap : taps_) tap->stream.reset();
    sum_.stop();
    taps_.clear();
    failed_.clear();
    interrupted_.clear();
    players_.clear();
  }
  task_.reset();
}

void Follower::select(const ProcessSelection& selection) {
  {
    std::lock_guard<std::mutex> lock(selecting_);
    selected_ = selection;
  }
  if (task_) look_again();
}

void Follower::on_sum(const float* samples, uint32_t frames, int64_t position,
                      int64_t time) noexcept {
  Packet packet;
  packet.data = samples;
  packet.frames = frames;
  packet.position = position;
  packet.time = time;
  listener_.on_packet(packet);
}

int64_t Follower::step(int64_t now) {
  if (!running_ || stopping_.load()) return kNever;
  if (changed_.exchange(false, std::memory_order_acq_rel) || retry_at_ <= now) {
    changed_at_ = now;
    {
      std::lock_guard<std::mutex> lock(selecting_);
      selector_.select(selected_);
    }
    const Error error = follow(now);
    if (stopping_.load()) return kNever;
    if (error.code == ErrorCode::kBackendUnavailable) {
      running_ = false;
      sum_.stop();
      listener_.on_lost(error);
      return kNever;
    }
  }
  state_.store(system_->state(nullptr));
  tell_heard();
  if (traits_.metered) tell_dead(now);
  for (const ProcessId& process : selector_.take_gone(*table_)) {
    TapTarget gone;
    gone.process = process;
    tell(TapEvent::Kind::kGone, gone, now);
    changed_.store(true, std::memory_order_release);
  }
  return now + (traits_.metered || now - changed_at_ < kSoonAfter ? kLook : kSeldomLook);
}

// Reports the taps whose first sound has arrived.
void Follower::tell_heard() {
  for (auto& tap : taps_) {
    const int64_t heard_at = tap->heard_at.load(std::memory_order_acquire);
    if (tap->target.others || tap->told || heard_at == kNoTime) continue;
    tap->told = true;
    const int64_t since = tap->target.playing_since;
    tell(TapEvent::Kind::kAttached, tap->target, heard_at,
         since == kNoTime ? 0 : std::max<int64_t>(0, heard_at - since));
  }
}

// Reports the programs that deliver zeros while their meters move, because they protect what they
// play. In the sum, which the receiver of the stream checks, other programs would hide that.
void Follower::tell_dead(int64_t now) {
  for (auto& tap : taps_) {
    // One capture of several programs delivers only their sum.
    if (tap->target.others) continue;
    tap->life.packet(tap->sounds.exchange(false, std::memory_order_relaxed));
    if (!tap->life.look(system_->state(&tap->target), now).life) continue;
    const bool dead = tap->life.dead_by() != LifeSigns::Evidence::kNone;
    tell(dead ? TapEvent::Kind::kDead : TapEvent::Kind::kAlive, tap->target, now);
  }
}

// Returns an error if the system is gone, or if nothing of the selection can be captured.
Error Follower::follow(int64_t now) {
  retry_at_ = kNever;
  for (const auto& tap : taps_) {
    if (tap->lost.load(std::memory_order_acquire) &&
        tap->loss.code == ErrorCode::kBackendUnavailable) {
      return tap->loss;
    }
  }
  TapSystem::Listing listing;
  if (Error error = system_->list(*table_, &selector_, now, &listing)) {
    retry_at_ = now + kRetry;
    return error;
  }
  keep_wanted(listing.targets, now);
  Error failure = attach_missing(listing.targets, now);
  tell_players(std::move(listing.players), now);
  const bool ends = failure.code == ErrorCode::kBackendUnavailable;
  return ends || taps_.empty() ? std::move(failure) : Error::none();
}

// Ends the taps that are not in `targets`, and those that were lost.
void Follower::keep_wanted(const std::vector<TapTarget>& targets, int64_t now) {
  const auto find = [&](const std::string& key) {
    return std::find_if(targets.begin(), targets.end(),
                        [&](const TapTarget& target) { return target.key == key; });
  };
  for (auto& tap : taps_) {
    const auto wanted = find(tap->target.key);
    if (wanted == targets.end() || tap->lost.load(std::memory_order_acquire)) {
      tap->stream.reset();
      sum_.end(tap->input);
      if (tap->told) tell(TapEvent::Kind::kDetached, tap->target, now);
      if (tap->told) interrupted_[tap->target.stream] = tap->heard_until.load();
      tap.reset();
    } else if (wanted->device_id != tap->target.device_id) {
      // The system moved the tap too.
      if (tap->told) tell(TapEvent::Kind::kDetached, tap->target, now);
      tap->target.device_id = wanted->device_id;
      if (tap->told) tell(TapEvent::Kind::kAttached, tap->target, now);
    }
  }
  taps_.erase(std::remove(taps_.begin(), taps_.end(), nullptr), taps_.end());
  failed_.erase(std::remove_if(failed_.begin(), failed_.end(),
                               [&](const Failed& one) { return find(one.key) == targets.end(); }),
                failed_.end());
  for (auto one = interrupted_.begin(); one != interrupted_.end();) {
    const bool plays = std::any_of(targets.begin(), targets.end(), [&](const TapTarget& target) {
      return !one->first.empty() && target.stream == one->first;
    });
    one = plays ? std::next(one) : interrupted_.erase(one);
  }
}

// Returns the first error, or the one that ends the stream.
Error Follower::attach_missing(const std::vector<TapTarget>& targets, int64_t now) {
  Error first;
  for (const TapTarget& target : targets) {
    const bool tapped = std::any_of(taps_.begin(), taps_.end(),
                                    [&](const auto& tap) { return tap->target.key == target.key; });
    if (tapped || waits_after_failure(target, now)) continue;
    Error error = attach(target, now);
    if (stopping_.load() || error.code == ErrorCode::kBackendUnavailable) return error;
    if (error && !first) first = std::move(error);
  }
  for (const Failed& one : failed_) retry_at_ = std::min(retry_at_, one.again_at);
  return first;
}

bool Follower::waits_after_failure(const TapTarget& target, int64_t now) const {
  return std::any_of(failed_.begin(), failed_.end(), [&](const Failed& one) {
    return one.key == target.key && one.again_at > now;
  });
}

Error Follower::attach(const TapTarget& target, int64_t now) {
  auto tap = std::make_unique<Tap>(this, target);
  Error error = system_->attach(target, tap.get(), &tap->stream);
  if (!error) {
    tap->format = tap->stream->info().format;
    // Without meters tell_dead() is not called, and no packet needs to be searched for sound.
    tap->sounds.store(!traits_.metered, std::memory_order_relaxed);
    tap->input = sum_.add(tap->format);
    error = tap->stream->start();
    if (error) {
      tap->stream.reset();
      sum_.end(tap->input);
    }
  }
  if (error) {
    report_failure(target, error, now);
    return error;
  }
  const auto interrupted = interrupted_.find(target.stream);
  if (interrupted != interrupted_.end()) {
    // A program that was halted meanwhile is missed only since it plays again.
    tap->target.playing_since = std::max(tap->target.playing_since, interrupted->second);
    interrupted_.erase(interrupted);
  }
  taps_.push_back(std::move(tap));
  failed_.erase(std::remove_if(failed_.begin(), failed_.end(),
                               [&](const Failed& one) { return one.key == target.key; }),
                failed_.end());
  return error;
}

// Reports a failure once for each target, however often it is tried.
void Follower::report_failure(const TapTarget& target, const Error& error, int64_t now) {
  if (stopping_.load()) return;
  auto failed = std::find_if(failed_.begin(), failed_.end(),
                             [&](const Failed& one) { return one.key == target.key; });
  if (failed == failed_.end()) failed = failed_.insert(failed_.end(), Failed{target.key});
  failed->again_at = now + kRetry;
  // Not found or lost: it has ended, or moved, since it was listed. Unavailable: the whole stream
  // is lost, which step() reports. The first error is the result of start().
  if (failed->told || !running_ || error.code == ErrorCode::kDeviceNotFound ||
      error.code == ErrorCode::kDeviceLost || error.code == ErrorCode::kBackendUnavailable) {
    return;
  }
  failed->told = true;
  TapEvent event;
  event.kind = TapEvent::Kind::kFailed;
  event.process = target.process;
  event.device_id = target.device_id;
  event.time = now;
  event.error = error;
  taps_listener_.on_tap(event);
}

void Follower::tell_players(std::vector<TapSystem::Player> players, int64_t now) {
  const bool together =
      std::any_of(taps_.begin(), taps_.end(), [](const auto& tap) { return tap->target.others; });
  if (!together) players.clear();
  const auto tell_those = [&](TapEvent::Kind kind, const std::vector<TapSystem::Player>& of,
                              const std::vector<TapSystem::Player>& without) {
    for (const TapSystem::Player& one : of) {
      if (std::find(without.begin(), without.end(), one) != without.end()) continue;
      TapTarget heard;
      heard.process = one.process;
      heard.device_id = one.device_id;
      tell(kind, heard, now);
    }
  };
  tell_those(TapEvent::Kind::kDetached, players_, players);
  tell_those(TapEvent::Kind::kAttached, players, players_);
  players_ = std::move(players);
}

void Follower::tell(TapEvent::Kind kind, const TapTarget& target, int64_t time, int64_t missed_ns) {
  TapEvent event;
  event.kind = kind;
  event.process = target.process;
  event.device_id = target.device_id;
  event.time = time;
  event.missed_ns = missed_ns;
  taps_listener_.on_tap(event);
}

}  // namespace

std::unique_ptr<ProcessStream> follow_processes(std::unique_ptr<TapSystem> system, TapSums* sums,
                                                const ProcessCaptureRequest& request,
                                                CaptureListener* listener, TapListener* taps) {
  return std::make_unique<Follower>(std::move(system), sums, request, listener, taps);
}

}  // namespace patchcord
