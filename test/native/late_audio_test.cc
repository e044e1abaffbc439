// Audio that comes late: a reader that can wait gets it in its place; only a reader that cannot
// wait loses it.
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "../../src/core/graph/mixer_node.h"
#include "../../src/core/graph/source_node.h"
#include "../../src/core/graph/tap_sum.h"
#include "../../src/core/time/timeline.h"
#include "check.h"
#include "still_clock.h"

using namespace patchcord;

namespace {

constexpr uint32_t kRate = 48000;
constexpr int64_t kMs = kNsPerMs;
constexpr uint32_t kPeriod = 480;  // 10 ms

// A device whose packets of 10 ms come when they may: on time, or together when a stall is over.
// Meanwhile its system says only that there is nothing yet. Its samples are never zero.
class Loopback {
 public:
  Loopback(Clock& clock, int64_t max_wait = kMaxWait) : node_(clock, config(max_wait)) {
    node_.open({kRate, 1, SampleFormat::kF32});
  }

  // Up to now: what was heard until 3 ms ago has come.
  void turn(int64_t now, bool stalled) {
    if (stalled) return node_.idle(false);
    while (kPeriod * (sent_ + 1) * 1000 / kRate * kMs + 3 * kMs <= now - kStart) {
      node_.packet(packet_.data(), kPeriod, sent_ * kPeriod,
                   kStart + sent_ * kPeriod * 1000 / kRate * kMs, false);
      ++sent_;
    }
  }
  // It plays nothing, and its counter stands still: what it says next is heard then.
  void pause_until(int64_t now) { sent_ = (now - kStart) / (10 * kMs); }

  SourceNode& node() { return node_; }
  NodeEvents& events() { return *node_.events(); }

  static constexpr int64_t kStart = kNsPerSecond;

 private:
  static SourceNode::Config config(int64_t max_wait) {
    SourceNode::Config config;
    config.sample_rate = kRate;
    config.channels = 1;
    config.start = kStart;
    config.fills_idle = true;
    config.max_wait = max_wait;
    return config;
  }

  SourceNode node_;
  std::vector<float> packet_ = std::vector<float>(kPeriod, 0.5f);
  int64_t sent_ = 0;
};

// The frames that a reader got, and how many of them were silence.
struct Read {
  size_t frames = 0, silent = 0;
};

Read read_all(FrameQueue* queue) {
  Read read;
  std::vector<float> samples(kPeriod);
  for (size_t got; (got = queue->read(samples.data(), kPeriod)) > 0; read.frames += got) {
    for (size_t i = 0; i < got; ++i) read.silent += samples[i] == 0 ? 1 : 0;
  }
  return read;
}

// Seven stalls, one every two seconds.
bool stalled(int64_t ms, int64_t length) { return ms >= 2000 && ms < 16000 && ms % 2000 < length; }

class Told final : public MixerNode::Listener {
 public:
  void on_replaced(uint64_t frame, uint64_t frames) noexcept override {
    CHECK(frame >= end_);
    end_ = frame + frames;
    lost += frames;
  }
  void on_missed(uint64_t frame, uint64_t frames, bool filled) noexcept override {
    if (filled) on_replaced(frame, frames);
    if (!filled) left_out += frames;
  }
  uint64_t lost = 0, left_out = 0;

 private:
  uint64_t end_ = 0;
};

MixerNode::Input input_of(Producer* producer) {
  MixerNode::Input input;
  const auto queue = std::make_shared<FrameQueue>(1, kRate, 3 * kRate);
  producer->attach(queue, nullptr);
  input.controls = std::make_shared<InputControls>(1, kRate);
  input.live = std::make_shared<LiveInput>(queue, kRate, 1);
  input.connection = 1;
  return input;
}

MixerNode::Config mixer_config() { return {kRate, 1, 30e6, false}; }

}  // namespace

TEST("a recording of a loopback has no hole where packets are 45, 80 or 400 ms late") {
  for (const int64_t late : {45, 80, 400}) {
    StillClock clock;
    clock.set(Loopback::kStart);
    Loopback loopback(clock);
    const auto queue = std::make_shared<FrameQueue>(1, kRate, 20 * kRate);
    loopback.node().attach(queue, nullptr);
    for (int64_t ms = 1; ms <= 18000; ++ms) {
      clock.set(Loopback::kStart + ms * kMs);
      loopback.turn(clock.now(), stalled(ms, late));
    }
    const Read read = read_all(queue.get());
    CHECK(read.frames >= 17980 * kRate / 1000 && read.frames <= 18000 * kRate / 1000);
    CHECK(read.silent == 0);
    CHECK(loopback.node().stats().hole_frames == 0);
    CHECK(loopback.node().stats().trimmed_frames == 0);
  }
}

TEST("an idle loopback is silent half a second late, and at once where the system says so") {
  for (const bool quiet : {false, true}) {
    StillClock clock;
    clock.set(Loopback::kStart);
    Loopback loopback(clock);
    for (int64_t ms = 1; ms <= 5000; ++ms) {
      clock.set(Loopback::kStart + ms * kMs);
      loopback.node().idle(quiet);
    }
    CHECK_NEAR(static_cast<double>(loopback.node().position()), (quiet ? 4970 : 4500) * 48.0, 96);
    loopback.node().finish();
    // Nothing can come any more.
    CHECK_NEAR(static_cast<double>(loopback.node().position()), 4970 * 48.0, 96);
    CHECK(loopback.node().stats().hole_frames == 0);
  }
}

TEST("a pause that is shorter than the wait is in its place") {
  StillClock clock;
  clock.set(Loopback::kStart);
  Loopback loopback(clock);
  const auto queue = std::make_shared<FrameQueue>(1, kRate, 20 * kRate);
  loopback.node().attach(queue, nullptr);
  std::vector<float> packet(kPeriod, 0.5f);
  int64_t counted = 0;
  for (int64_t ms = 10; ms <= 6000; ms += 10) {
    const int64_t now = Loopback::kStart + ms * kMs;
    clock.set(now + 3 * kMs);
    // 300 ms of each second nothing plays, and the device's counter stands still.
    if (ms >= 1000 && ms % 1000 < 300) {
      loopback.node().idle(false);
      continue;
    }
    loopback.node().packet(packet.data(), kPeriod, counted, now - 10 * kMs, false);
    counted += kPeriod;
  }
  const Read read = read_all(queue.get());
  CHECK_NEAR(static_cast<double>(read.frames), 6000 * 48.0, 480);
  // The sound before each falls into it, within 3 ms.
  CHECK_NEAR(static_cast<double>(read.silent), 5 * 297 * 48.0, 480);
  CHECK(loopback.node().stats().hole_frames == 0);
}

TEST("audio that arrives after the wait is counted once, in one event") {
  StillClock clock;
  clock.set(Loopback::kStart);
  Loopback loopback(clock, 50 * kMs);
  for (int64_t ms = 1; ms <= 8000; ++ms) {
    clock.set(Loopback::kStart + ms * kMs);
    loopback.turn(clock.now(), ms >= 2000 && ms % 2000 < 250);
  }
  uint64_t end = 0, lost = 0;
  int events = 0;
  for (const NodeEvent& event : loopback.events().take()) {
    if (event.type != NodeEventType::kHole) continue;
    CHECK(event.frame > end);
    end = event.frame + event.frames;
    lost += event.frames;
    ++events;
  }
  CHECK(events == 3);
  CHECK_NEAR(static_cast<double>(lost), 3 * 200 * 48.0, 3 * 1000);
  CHECK(lost == loopback.node().stats().hole_frames);
  CHECK(lost == loopback.node().stats().trimmed_frames);
  // It was silence until it was known to be lost.
  CHECK(loopback.node().stats().silence_frames == 0);
}

namespace {

struct Mixed {
  Read read;
  uint64_t told = 0, lost = 0;
};

// A loopback that is late and one that is not, mixed for a recorder, who may be a device.
Mixed mix_late(int64_t late, bool live) {
  StillClock clock;
  clock.set(Loopback::kStart);
  Loopback one(clock), other(clock);
  Told told;
  MixerNode mixer(mixer_config(), &told);
  mixer.publish({input_of(&one.node()), input_of(&other.node())});
  const auto queue = std::make_shared<FrameQueue>(1, kRate, 20 * kRate);
  queue->set_live(live);
  mixer.attach(queue, nullptr);
  int64_t next = Loopback::kStart;
  for (int64_t ms = 1; ms <= 18000; ++ms) {
    const int64_t now = Loopback::kStart + ms * kMs;
    clock.set(now);
    one.turn(now, stalled(ms, late));
    other.turn(now, false);
    if (now >= next) next = mixer.pump(now);
  }
  mixer.flush(clock.now());
  mixer.finish();
  // From when both are heard.
  std::vector<float> mix(20 * kRate);
  mix.resize(queue->read(mix.data(), mix.size()));
  Mixed mixed;
  mixed.read.frames = mix.size();
  for (size_t i = kRate; i < mix.size(); ++i) mixed.read.silent += mix[i] < 0.99f ? 1 : 0;
  mixed.told = told.lost;
  mixed.lost = mixer.lost_frames();
  return mixed;
}

}  // namespace

TEST("a mix that no device plays waits for its late input") {
  for (const int64_t late : {45, 80, 400}) {
    const Mixed mixed = mix_late(late, false);
    CHECK(mixed.read.silent == 0);
    CHECK(mixed.lost == 0);
    CHECK_NEAR(static_cast<double>(mixed.read.frames), 18000 * 48.0, 4 * 480);
  }
}

TEST("a mix that a device plays does not wait, and reports what it replaced") {
  const Mixed mixed = mix_late(80, true);
  CHECK(mixed.read.silent > 0);
  CHECK(mixed.lost > 0 && mixed.told == mixed.lost);
  CHECK_NEAR(static_cast<double>(mixed.lost), static_cast<double>(mixed.read.silent),
             0.25 * static_cast<double>(mixed.read.silent));
  CHECK_NEAR(static_cast<double>(mixed.read.frames), 18000 * 48.0, 8 * 480);
}

TEST("an idle loopback holds a mix that is recorded for its wait only") {
  StillClock clock;
  clock.set(Loopback::kStart);
  Loopback one(clock), idle(clock);
  MixerNode mixer(mixer_config());
  mixer.publish({input_of(&one.node()), input_of(&idle.node())});
  int64_t next = Loopback::kStart;
  for (int64_t ms = 1; ms <= 5000; ++ms) {
    const int64_t now = Loopback::kStart + ms * kMs;
    clock.set(now);
    one.turn(now, false);
    if (ms < 1000) idle.turn(now, false);
    if (ms >= 1000) idle.node().idle(false);
    if (now >= next) next = mixer.pump(now);
  }
  CHECK_NEAR(static_cast<double>(mixer.position()), (5000 - 500) * 48.0, 4 * 480);
  CHECK(mixer.lost_frames() == 0);
}

namespace {

// A recorded loopback whose process stands still after two seconds for so long: its mix, 4 s later.
// The audio of that time arrives right after the first turn of the mixer's thread.
Mixed stand_still(int64_t stood_ms, Told* told) {
  StillClock clock;
  clock.set(Loopback::kStart);
  Loopback loopback(clock);
  MixerNode mixer(mixer_config(), told);
  mixer.publish({input_of(&loopback.node())});
  const auto queue = std::make_shared<FrameQueue>(1, kRate, 40 * kRate);
  mixer.attach(queue, nullptr);
  int64_t next = Loopback::kStart;
  for (int64_t ms = 1; ms <= 6000 + stood_ms; ++ms) {
    if (ms == 2000) ms += stood_ms;
    const int64_t now = Loopback::kStart + ms * kMs;
    clock.set(now);
    if (now >= next) next = mixer.pump(now);
    loopback.turn(now, false);
  }
  mixer.flush(clock.now());
  mixer.finish();
  Mixed mixed;
  mixed.read = read_all(queue.get());
  mixed.lost = mixer.lost_frames();
  return mixed;
}

}  // namespace

TEST("a mix whose process stood still reads the audio that arrived meanwhile") {
  for (const int64_t stood : {1200, 5000}) {
    Told told;
    const Mixed mixed = stand_still(stood, &told);
    CHECK_NEAR(static_cast<double>(mixed.read.frames), (6000 + stood) * 48.0, 4 * 480);
    // The beginning, before anything was heard.
    CHECK(mixed.read.silent < 4 * 480);
    CHECK(mixed.lost == 0);
  }
}

TEST(
    "after a longer standstill the audio that a mix could not hold is silence, at its position and "
    "counted") {
  Told told;
  const Mixed mixed = stand_still(20000, &told);
  CHECK_NEAR(static_cast<double>(mixed.read.frames), 26000 * 48.0, 4 * 480);
  CHECK(mixed.lost == told.lost);
  CHECK_NEAR(static_cast<double>(mixed.lost), static_cast<double>(mixed.read.silent), 4 * 480);
  const double kept = 262144;  // in the queue of an input
  CHECK_NEAR(static_cast<double>(mixed.lost), 20000 * 48 - kept, 8 * 480);
}

namespace {

// Two loopbacks and their mix; the system of one does not answer for so long, then hands over what
// it recorded meanwhile.
Mixed mix_unanswered(int64_t silent_ms, uint64_t* lost) {
  StillClock clock;
  clock.set(Loopback::kStart);
  Loopback one(clock), other(clock);
  Told told;
  MixerNode mixer(mixer_config(), &told);
  mixer.publish({input_of(&one.node()), input_of(&other.node())});
  const auto queue = std::make_shared<FrameQueue>(1, kRate, 20 * kRate);
  mixer.attach(queue, nullptr);
  int64_t next = Loopback::kStart;
  for (int64_t ms = 1; ms <= 6000 + silent_ms; ++ms) {
    const int64_t now = Loopback::kStart + ms * kMs;
    clock.set(now);
    one.turn(now, false);
    if (ms >= 2000 && ms < 2000 + silent_ms) {
      if (ms % 20 == 0) other.node().unanswered();
    } else {
      other.turn(now, false);
    }
    if (now >= next) next = mixer.pump(now);
  }
  mixer.flush(clock.now());
  mixer.finish();
  *lost = other.node().stats().hole_frames;
  Mixed mixed;
  std::vector<float> samples(kPeriod);
  for (size_t got; (got = queue->read(samples.data(), kPeriod)) > 0; mixed.read.frames += got) {
    for (size_t i = 0; i < got; ++i) mixed.read.silent += samples[i] < 0.6f ? 1 : 0;
  }
  mixed.lost = mixer.lost_frames();
  return mixed;
}

}  // namespace

TEST("a loopback and a mix wait for a system that does not answer") {
  uint64_t lost = 0;
  const Mixed mixed = mix_unanswered(3000, &lost);
  CHECK_NEAR(static_cast<double>(mixed.read.frames), 9000 * 48.0, 4 * 480);
  CHECK(mixed.read.silent < 4 * 480);
  CHECK(mixed.lost == 0 && lost == 0);
}

TEST("a system that does not answer for more than 4 s is not waited for any longer") {
  uint64_t lost = 0;
  const Mixed mixed = mix_unanswered(8000, &lost);
  CHECK_NEAR(static_cast<double>(mixed.read.frames), 14000 * 48.0, 4 * 480);
  CHECK_NEAR(static_cast<double>(lost), 4000 * 48.0, 480 * 8);
  CHECK_NEAR(static_cast<double>(mixed.read.silent), 4000 * 48.0, 480 * 8);
}

TEST("a mix skips more than a minute, and reports it") {
  Told told;
  const Mixed mixed = stand_still(70000, &told);
  CHECK_NEAR(static_cast<double>(told.left_out), 70000 * 48.0, 8 * 480);
  CHECK(mixed.lost == told.lost);
  CHECK_NEAR(static_cast<double>(mixed.read.frames), 6000 * 48.0, 8 * 480);
}

// Linux ends a process whose real-time thread computes for too long at a time.
TEST("a mix that is late is made in parts") {
  MixerNode::Config config = mixer_config();
  config.max_wait_ns = 10e9;
  MixerNode mixer(config);
  mixer.begin_at(kNsPerSecond);
  const int64_t now = 9 * kNsPerSecond;
  uint64_t before = 0;
  int turns = 0;
  for (int64_t next = now; next <= now + kNsPerSecond; ++turns) {
    next = mixer.pump(next);
    CHECK(mixer.position() - before <= kRate / 4);
    before = mixer.position();
    if (next > now + 100 * kMs) break;
  }
  CHECK(turns > 30);
  CHECK_NEAR(static_cast<double>(mixer.position()), 8.1 * kRate, 0.1 * kRate);
}

TEST("frames for which a mixer's input has no room are reported") {
  StillClock clock;
  clock.set(Loopback::kStart);
  Loopback loopback(clock);
  Told told;
  MixerNode mixer(mixer_config(), &told);
  MixerNode::Input input;
  const auto queue = std::make_shared<FrameQueue>(1, kRate, kRate / 2);
  loopback.node().attach(queue, nullptr);
  input.controls = std::make_shared<InputControls>(1, kRate);
  input.live = std::make_shared<LiveInput>(queue, kRate, 1);
  mixer.publish({input});
  for (int64_t ms = 1; ms <= 6000; ++ms) {
    const int64_t now = Loopback::kStart + ms * kMs;
    clock.set(now);
    loopback.turn(now, false);
    // Turns that are late, of a mixer that mixes all the time.
    if (ms < 3000 || ms >= 4200) mixer.pump(now);
  }
  mixer.finish();
  CHECK(queue->lost_frames() > kRate / 4);
  CHECK(mixer.lost_frames() == told.lost);
  CHECK_NEAR(static_cast<double>(mixer.lost_frames()), static_cast<double>(queue->lost_frames()),
             4 * 480);
}

namespace {

class SteppedClock final : public Clock {
 public:
  int64_t now() const noexcept override { return now_; }
  std::unique_ptr<Task> start(const char*, Priority, Step step) override {
    step_ = std::move(step);
    return std::make_unique<NoTask>();
  }
  void move_to(int64_t now) {
    now_ = now;
    if (step_ && now % (10 * kMs) == 0) step_(now);
  }

 private:
  class NoTask final : public Task {
   public:
    void wake() noexcept override {}
  };
  int64_t now_ = kNsPerSecond;
  Step step_;
};

class Ear final : public TapSum::Output {
 public:
  void on_sum(const float* samples, uint32_t frames, int64_t position,
              int64_t time) noexcept override {
    CHECK(position == next_);
    CHECK(std::llabs(time - kNsPerSecond - position * 1000 / 48 * 1000) < 1000);
    next_ = position + frames;
    for (uint32_t i = 0; i < frames; ++i) {
      if (position + i >= kRate && (samples == nullptr || samples[i] < 0.49f)) ++silent;
    }
  }
  void on_unanswered() noexcept override {}
  void on_replaced(int64_t, uint64_t frames) noexcept override { replaced += frames; }
  bool live() const noexcept override { return hurry; }

  bool hurry = false;
  uint64_t silent = 0, replaced = 0;

 private:
  int64_t next_ = 0;
};

}  // namespace

TEST("a sum of programs that is recorded has no hole where packets are late") {
  for (const bool hurry : {false, true}) {
    SteppedClock clock;
    Ear ear;
    ear.hurry = hurry;
    TapSums sums(clock);
    TapSum sum(&sums, kRate, 1, &ear);
    sum.start();
    const auto tap = sum.add({kRate, 1, SampleFormat::kF32});
    const std::vector<float> packet(kPeriod, 0.5f);
    int64_t sent = 0;
    for (int64_t ms = 1; ms <= 18000; ++ms) {
      const int64_t now = kNsPerSecond + ms * kMs;
      const bool late = stalled(ms, 80);
      while (!late && sent * 10 + 13 <= ms) {
        tap->packet(packet.data(), kPeriod, sent * kPeriod, kNsPerSecond + sent * 10 * kMs, false);
        ++sent;
      }
      if (late) tap->idle(false);
      clock.move_to(now);
    }
    CHECK((ear.silent > 0) == hurry);
    CHECK((ear.replaced > 0) == hurry);
    sum.stop();
  }
}

TEST("all audio that a sum of programs replaced because it arrived too late is counted") {
  SteppedClock clock;
  Ear ear;
  TapSums sums(clock);
  TapSum sum(&sums, kRate, 1, &ear);
  sum.start();
  const auto tap = sum.add({kRate, 1, SampleFormat::kF32});
  const std::vector<float> packet(kPeriod, 0.5f);
  int64_t sent = 0;
  for (int64_t ms = 1; ms <= 12000; ++ms) {
    const bool late = ms >= 4000 && ms < 6000;
    // Two seconds at once, as a server hands over what it missed.
    while (!late && sent * 10 + 13 <= ms) {
      tap->packet(packet.data(), kPeriod, sent * kPeriod, kNsPerSecond + sent * 10 * kMs, false);
      ++sent;
    }
    if (late) tap->idle(false);
    clock.move_to(kNsPerSecond + ms * kMs);
  }
  CHECK_NEAR(static_cast<double>(ear.silent), 1500 * 48.0, 8 * 480);
  CHECK_NEAR(static_cast<double>(ear.replaced), static_cast<double>(ear.silent), 4 * 480);
  sum.stop();
}

LONG_TEST("the lag of a sum that a device plays grows with late packets and shrinks again") {
  SteppedClock clock;
  Ear ear;
  ear.hurry = true;
  TapSums sums(clock);
  TapSum sum(&sums, kRate, 1, &ear);
  sum.start();
  const auto tap = sum.add({kRate, 1, SampleFormat::kF32});
  const std::vector<float> packet(kPeriod, 0.5f);
  int64_t sent = 0;
  const auto run = [&](int64_t from_s, int64_t until_s, int64_t late) {
    for (int64_t ms = from_s * 1000 + 1; ms <= until_s * 1000; ++ms) {
      while ((sent + 1) * 10 + late <= ms) {
        tap->packet(packet.data(), kPeriod, sent * kPeriod, kNsPerSecond + sent * 10 * kMs, false);
        ++sent;
      }
      clock.move_to(kNsPerSecond + ms * kMs);
    }
    return static_cast<double>(sum.lag()) / kMs;
  };
  CHECK_NEAR(run(0, 20, 3), 30, 1);
  CHECK(run(20, 25, 250) > 200);
  CHECK_NEAR(run(25, 1000, 3), 30, 5);
  sum.stop();
}
