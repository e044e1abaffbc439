// The fill of a sink's device: more after an underrun, given back slowly.
#include "../../src/core/time/fill.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "../../src/core/graph/frame_queue.h"
#include "../../src/core/graph/live_input.h"
#include "../../src/core/graph/mixer_node.h"
#include "../../src/core/graph/sink_node.h"
#include "check.h"
#include "still_clock.h"

using namespace patchcord;

namespace {

constexpr uint32_t kRate = 48000;
constexpr size_t kPeriod = 480;
constexpr double kMs = 1e6;

TEST("after an underrun a device holds more by what was missing, 5 ms at least") {
  Fill fill;
  fill.restart(45 * kNsPerMs);
  CHECK(fill.grow(12 * kMs) == 12 * kMs);
  CHECK(fill.grow(Fill::kLeastStep) == 5 * kMs);
  CHECK(fill.grow(600 * kMs) == 28 * kMs);  // never more than it may
  CHECK(fill.shown() == 45 * kMs);
  CHECK(!fill.take_given_back());
}

TEST("after a minute without an underrun the fill shrinks by 0.2 ms each second") {
  Fill fill;
  fill.restart(45 * kNsPerMs);
  fill.grow(10 * kMs);
  for (int second = 0; second < 60; ++second) CHECK(fill.follow(1e9) == 0);
  for (int second = 0; second < 10; ++second) CHECK_NEAR(fill.follow(1e9), 0.2 * kMs, 1);
  CHECK_NEAR(fill.more(), 8 * kMs, 1);
  CHECK(!fill.take_given_back());
  for (int second = 0; second < 41; ++second) fill.follow(1e9);
  CHECK(fill.more() == 0);
  CHECK(fill.take_given_back());
  CHECK(!fill.take_given_back());
}

TEST("after an underrun while the fill shrinks, the next wait is twice as long") {
  Fill fill;
  fill.restart(45 * kNsPerMs);
  fill.grow(10 * kMs);
  const auto quiet_seconds = [&fill] {
    int seconds = 0;
    while (fill.follow(1e9) == 0) ++seconds;
    return seconds;
  };
  int before = 60;
  CHECK(quiet_seconds() == before);
  for (int time = 0; time < 8; ++time) {
    fill.grow(Fill::kLeastStep);
    before = std::min(2 * before, 900);
    CHECK(quiet_seconds() == before);
  }
}

// A microphone that is linked to a sink, or mixed for it. Each sample tells when it was heard.
class Way {
 public:
  explicit Way(bool mixed) : mixed_(mixed) {
    sink_.open({kRate, 1, SampleFormat::kF32}, 45 * kNsPerMs);
    if (mixed_) {
      MixerNode::Input in;
      in.controls = std::make_shared<InputControls>(1, kRate);
      in.live = input_;
      in.connection = 1;
      mixer_->publish({in});
      mixer_->attach(recorded_, nullptr);
      sink_.publish(nullptr, mixer_);
    } else {
      input_->follow_sink(std::make_shared<NodeEvents>());
      sink_.publish(nullptr, input_);
    }
  }
  ~Way() { mixer_->publish({}); }

  // 10 ms: the microphone delivers, and the device requests the frames that its fill lacks.
  void turn() {
    now_ += 10 * kNsPerMs;
    clock_.set(now_);
    for (size_t i = 0; i < kPeriod; ++i) {
      packet_[i] = static_cast<float>((static_cast<double>(heard_) + i / 48.0) / kScale);
    }
    queue_->push(packet_.data(), {static_cast<uint64_t>(heard_) * 48, kPeriod,
                                  static_cast<double>(heard_ * kNsPerMs), kRate, 0});
    heard_ += 10;
    while (play_ < now_ + 20 * kNsPerMs + sink_.more_fill()) {
      sink_.render(out_.data(), kPeriod, play_);
      play_ += 10 * kNsPerMs;
      for (const float sample : out_) sound_.push_back(sample * kScale);
    }
  }
  void run(int ms) {
    for (int done = 0; done < ms; done += 10) turn();
  }
  // The device has played all it had, and nothing for so long.
  void dry(int ms) {
    play_ += ms * kNsPerMs;
    sink_.underrun(static_cast<uint32_t>(ms) * 48, true);
  }

  // How long ago the newest sound was heard when it is played, ms.
  double age() const { return static_cast<double>(play_) / kMs - sound_.back(); }
  double more_ms() const { return static_cast<double>(sink_.more_fill()) / kMs; }
  const std::vector<double>& sound() const { return sound_; }
  const LiveInput::Stats& stats() const { return input_->stats(); }
  const SinkNode::Stats& sink_stats() const { return sink_.stats(); }
  bool told_of_fill() const {  // since the last call
    const std::vector<NodeEvent> events = sink_.events()->take();
    return std::any_of(events.begin(), events.end(),
                       [](const NodeEvent& event) { return event.type == NodeEventType::kFill; });
  }
  // The mix, as a recording of it.
  std::vector<float> recorded() {
    std::vector<float> mix(recorded_->available());
    recorded_->read(mix.data(), mix.size());
    for (float& sample : mix) sample *= kScale;
    return mix;
  }

 private:
  static constexpr float kScale = 600000;  // ms
  const bool mixed_;
  StillClock clock_;
  SinkNode sink_{clock_};
  std::shared_ptr<FrameQueue> queue_ = std::make_shared<FrameQueue>(1, kRate, 2 * kRate);
  std::shared_ptr<LiveInput> input_ = std::make_shared<LiveInput>(queue_, kRate, 1);
  std::shared_ptr<MixerNode> mixer_ =
      std::make_shared<MixerNode>(MixerNode::Config{kRate, 1, 25e6, false});
  std::shared_ptr<FrameQueue> recorded_ = std::make_shared<FrameQueue>(1, kRate, 310 * kRate);
  std::vector<float> packet_ = std::vector<float>(kPeriod);
  std::vector<float> out_ = std::vector<float>(kPeriod);
  std::vector<double> sound_;
  int64_t heard_ = 1000;  // ms
  int64_t now_ = 1000 * kNsPerMs;
  int64_t play_ = now_ + 30 * kNsPerMs;
};

void holds_more_and_gives_it_back(bool mixed) {
  Way way(mixed);
  way.run(5000);
  const double before = way.age();
  const double last = way.sound().back();
  const size_t broken = way.sound().size();
  CHECK(!way.told_of_fill());
  way.dry(20);
  CHECK(way.told_of_fill());
  way.run(1000);
  CHECK(way.more_ms() == 20);
  CHECK_NEAR(way.age(), before + 20, 0.1);
  // The fill grows by the frames that were missing: no sound is skipped.
  const auto next = std::find_if(way.sound().begin() + static_cast<ptrdiff_t>(broken) + 150,
                                 way.sound().end(), [](double at) { return at != 0; });
  CHECK_NEAR(*next - last, 150 / 48.0, 0.2);
  CHECK(way.stats().resyncs == 0);
  // A shorter one than it can hold at a time: the rest is silence.
  way.dry(2);
  way.run(1000);
  CHECK(way.more_ms() == 25);
  CHECK_NEAR(way.age(), before + 25, 0.1);
  CHECK_NEAR(static_cast<double>(way.sink_stats().underrun_frames), (20 + 2 + 3) * 48, 2);
  // A longer one than it can hold is passed over, as before.
  way.dry(100);
  way.run(1000);
  CHECK(way.more_ms() == 45);
  CHECK_NEAR(way.age(), before + 45, 0.1);
  const uint64_t resyncs = way.stats().resyncs;
  CHECK(resyncs == (mixed ? 0 : 1));

  // Given back, as a change of speed of 200 in a million.
  CHECK(way.told_of_fill());
  way.run(56000);
  CHECK(!way.told_of_fill());
  const size_t from = way.sound().size();
  CHECK_NEAR(way.age(), before + 45, 0.1);
  way.run(240000);
  CHECK(way.more_ms() == 0);
  CHECK(way.told_of_fill());
  CHECK_NEAR(way.age(), before, 0.1);
  CHECK(way.stats().resyncs == resyncs);
  CHECK(way.stats().starvations == 0);
  double fastest = 0;
  for (size_t i = from + kRate; i < way.sound().size(); i += kRate) {
    fastest = std::max(fastest, (way.sound()[i] - way.sound()[i - kRate]) / 1000);
  }
  CHECK(fastest > 1.0001 && fastest < 1.0005);
  // A recording of the mix has all of it, in order: each sample is 1/48 ms later than the one
  // before.
  const std::vector<float> mix = way.recorded();
  CHECK(mix.empty() != mixed);
  float most = 0, least = 0;
  for (size_t i = kRate; i < mix.size(); ++i) {
    most = std::max(most, mix[i] - mix[i - 1]);
    least = std::min(least, mix[i] - mix[i - 1]);
  }
  CHECK(most < 0.2f && least > -0.3f);
}

TEST(
    "after an underrun a sink plays live sound later by what was missing, and reduces that again") {
  holds_more_and_gives_it_back(false);
}

TEST("so does a sink into which a mixer is piped, and a recording of the mix misses nothing") {
  holds_more_and_gives_it_back(true);
}

}  // namespace
