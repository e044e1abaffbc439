// The follower of processes on a system whose taps have a thread each, as PipeWire's have.
#include "../../src/backend/process_follower.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "check.h"

using namespace patchcord;

namespace {

// Delivers packets without a pause until it is stopped.
class ThreadedTap final : public Stream {
 public:
  ThreadedTap(CaptureListener* listener, const std::atomic<float>* level)
      : listener_(*listener), level_(*level) {
    info_.format = {48000, 2, SampleFormat::kF32};
    info_.period_frames = kFrames;
  }
  ~ThreadedTap() override { stop(); }

  const StreamInfo& info() const override { return info_; }
  Error start() override {
    running_ = true;
    thread_ = std::thread([this] { deliver(); });
    return Error::none();
  }
  void stop() override {
    running_ = false;
    if (thread_.joinable()) thread_.join();
  }
  void lose(const Error& error) {
    stop();
    listener_.on_lost(error);
  }

 private:
  static constexpr uint32_t kFrames = 48;

  void deliver() {
    std::vector<float> samples(kFrames * 2);
    Packet packet;
    packet.data = samples.data();
    packet.frames = kFrames;
    for (packet.position = 0; running_; packet.position += kFrames) {
      std::fill(samples.begin(), samples.end(), level_.load());
      packet.time = real_clock().now();
      listener_.on_packet(packet);
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

  CaptureListener& listener_;
  const std::atomic<float>& level_;  // of its samples
  StreamInfo info_;
  std::atomic<bool> running_{false};
  std::thread thread_;
};

struct Script {
  std::atomic<int> lists{0};
  std::atomic<int> targets{8};
  std::atomic<ErrorCode> list_error{ErrorCode::kNone};
  std::atomic<ErrorCode> attach_error{ErrorCode::kNone};
  bool metered = false;
  std::array<std::atomic<float>, 8> levels{0.25f, 0.25f, 0.25f, 0.25f, 0.25f, 0.25f, 0.25f, 0.25f};
  std::array<std::atomic<float>, 8> meters{};  // as the system reports them
  std::atomic<bool> goes_when_listed{false};   // the system: its taps are lost while it is asked
  std::vector<ThreadedTap*> taps;              // those that there are, for the follower's thread
};

class ScriptedSystem final : public TapSystem {
 public:
  explicit ScriptedSystem(Script* script) : script_(*script) {}

  Traits traits() const override {
    Traits traits;
    traits.metered = script_.metered;
    return traits;
  }
  Error begin(Listener*) override { return Error::none(); }
  void end() override {}
  Error list(const ProcessTable&, ProcessSelector*, int64_t, Listing* listing) override {
    ++script_.lists;
    if (script_.goes_when_listed) {
      script_.attach_error = ErrorCode::kBackendUnavailable;
      const Error gone = Error::make(ErrorCode::kBackendUnavailable, "gone");
      for (ThreadedTap* tap : script_.taps) tap->lose(gone);
      script_.taps.clear();
    }
    if (script_.list_error != ErrorCode::kNone) return Error::make(script_.list_error, "no answer");
    for (int i = 0; i < script_.targets; ++i) {
      TapTarget target;
      target.key = std::to_string(i);
      target.process.pid = static_cast<uint32_t>(i + 1);
      listing->targets.push_back(std::move(target));
    }
    return Error::none();
  }
  Error attach(const TapTarget& target, CaptureListener* listener,
               std::unique_ptr<Stream>* stream) override {
    if (script_.attach_error != ErrorCode::kNone) {
      return Error::make(script_.attach_error, "refused");
    }
    auto tap = std::make_unique<ThreadedTap>(listener, &script_.levels[target.process.pid - 1]);
    script_.taps.push_back(tap.get());
    *stream = std::move(tap);
    return Error::none();
  }
  EndpointState state(const TapTarget* target) override {
    EndpointState state;
    state.known = true;
    state.peak = target != nullptr ? script_.meters[target->process.pid - 1].load() : 0.5f;
    return state;
  }

 private:
  Script& script_;
};

struct Listener final : CaptureListener, TapListener {
  void on_packet(const Packet& packet) noexcept override { frames += packet.frames; }
  void on_idle(bool) noexcept override {}
  void on_lost(const Error&) noexcept override { ++losses; }
  void on_tap(const TapEvent& event) noexcept override {
    if (event.kind == TapEvent::Kind::kAttached) ++attached;
    if (event.kind == TapEvent::Kind::kFailed) ++failed;
    if (event.kind == TapEvent::Kind::kDead) dead |= 1u << event.process.pid;
    if (event.kind == TapEvent::Kind::kAlive) alive |= 1u << event.process.pid;
  }

  std::atomic<uint64_t> frames{0};
  std::atomic<int> losses{0};
  std::atomic<int> attached{0};
  std::atomic<int> failed{0};
  std::atomic<uint32_t> dead{0}, alive{0};  // a bit for each process
};

std::unique_ptr<ProcessStream> follow(Script* script, TapSums* sums, Listener* listener) {
  return follow_processes(std::make_unique<ScriptedSystem>(script), sums, {}, listener, listener);
}

template <class Condition>
bool eventually(Condition condition) {
  const int64_t end = real_clock().now() + 10 * kNsPerSecond;
  while (!condition() && real_clock().now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return condition();
}

}  // namespace

TEST("follower: stopping while taps deliver their first packets uses no freed memory") {
  TapSums sums(real_clock());
  Script script;
  Listener listener;
  auto stream = follow(&script, &sums, &listener);
  for (int turn = 0; turn < 60; ++turn) {
    CHECK(!stream->start());
    std::this_thread::sleep_for(std::chrono::microseconds(turn * 50));
    stream->stop();
    const uint64_t frames = listener.frames;
    std::this_thread::yield();
    CHECK(listener.frames == frames);
  }
  CHECK(!stream->start());
  const int before = listener.attached;
  CHECK(eventually([&] { return listener.attached >= before + 8; }));
  CHECK(listener.losses == 0);
}

TEST("follower: a system that does not answer is retried, one that is gone ends the stream") {
  TapSums sums(real_clock());
  Script script;
  Listener listener;
  script.list_error = ErrorCode::kTimeout;
  auto stream = follow(&script, &sums, &listener);
  CHECK(!stream->start());
  CHECK(eventually([&] { return script.lists >= 2; }));
  CHECK(listener.frames > 0 && listener.losses == 0);
  script.list_error = ErrorCode::kNone;
  CHECK(eventually([&] { return listener.attached == 8; }));
  script.list_error = ErrorCode::kBackendUnavailable;
  stream->select({});
  CHECK(eventually([&] { return listener.losses == 1; }));
  const uint64_t frames = listener.frames;
  stream->select({});
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(listener.frames == frames && listener.losses == 1);
}

TEST("follower: a program that cannot be tapped is reported once, and tapped when it can be") {
  TapSums sums(real_clock());
  Script script;
  Listener listener;
  script.targets = 2;
  script.attach_error = ErrorCode::kPermissionDenied;
  auto stream = follow(&script, &sums, &listener);
  CHECK(!stream->start());
  CHECK(eventually([&] { return script.lists >= 3; }));
  CHECK(listener.failed == 2 && listener.attached == 0);
  script.attach_error = ErrorCode::kNone;
  CHECK(eventually([&] { return listener.attached == 2; }));
  CHECK(listener.failed == 2 && listener.losses == 0);
}

// The loss of the taps and the failure of the next one come in any order.
TEST("follower: a system that is lost during a request ends the stream, and no tap fails") {
  TapSums sums(real_clock());
  Script script;
  Listener listener;
  auto stream = follow(&script, &sums, &listener);
  CHECK(!stream->start());
  CHECK(eventually([&] { return listener.attached == 8; }));
  script.goes_when_listed = true;
  stream->select({});
  CHECK(eventually([&] { return listener.losses == 1; }));
  CHECK(listener.failed == 0);
}

// Their sum is not silent, so the receiver of the stream cannot know.
TEST("follower: one of several programs that delivers zeros while its meter moves is reported") {
  TapSums sums(real_clock());
  Script script;
  Listener listener;
  script.metered = true;
  script.targets = 3;
  script.levels[1] = 0;  // protected
  script.levels[2] = 0;  // it plays silence
  script.meters[0] = script.meters[1] = 0.25f;
  auto stream = follow(&script, &sums, &listener);
  CHECK(!stream->start());
  CHECK(eventually([&] { return listener.dead != 0; }));
  CHECK(listener.dead == 1u << 2 && listener.alive == 0);
  script.levels[1] = 0.25f;
  CHECK(eventually([&] { return listener.alive != 0; }));
  CHECK(listener.dead == 1u << 2 && listener.alive == 1u << 2);
}
