// A live stream linked straight to a sink: its lag follows how late the packets are.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "../../src/core/graph/frame_queue.h"
#include "../../src/core/graph/live_input.h"
#include "../../src/core/graph/mixer_node.h"
#include "../../src/core/graph/sink_node.h"
#include "../../src/core/graph/written_queue.h"
#include "check.h"
#include "still_clock.h"

using namespace patchcord;

namespace {

constexpr uint32_t kRate = 48000;
constexpr size_t kPeriod = 480;
constexpr double kPeriodNs = 10e6;
constexpr double kToneHz = 997;

// A source whose packets of 10 ms arrive on request, and a sink that pulls every 10 ms.
class Link {
 public:
  Link() { input_->follow_sink(events_); }
  // All packets that are complete `late_ns` before now arrive; then the sink pulls.
  void turn(double late_ns) {
    const double now = static_cast<double>(++turns_) * kPeriodNs;
    while (static_cast<double>(packets_ + 1) * kPeriodNs + late_ns <= now) {
      for (size_t i = 0; i < kPeriod; ++i) {
        const double frame = static_cast<double>(packets_ * kPeriod + i);
        packet_[i] = static_cast<float>(0.5 * std::sin(frame * kStep));
      }
      const Record record{packets_ * kPeriod, kPeriod, static_cast<double>(packets_) * kPeriodNs,
                          kRate, 0};
      queue_->push(packet_.data(), record);
      ++packets_;
    }
    input_->pull(out_.data(), kPeriod, {now, kRate});
  }
  void run(double seconds, double late_ns) {
    for (int i = 0; i < seconds * 100; ++i) turn(late_ns);
  }

  double lag_ms() const { return input_->lag_ns() / 1e6; }
  uint64_t starvations() const { return input_->stats().starvations; }
  uint64_t resyncs() const { return input_->stats().resyncs; }
  const std::vector<float>& out() const { return out_; }

  static constexpr double kStep = 2 * 3.14159265358979 * kToneHz / kRate;

 private:
  std::shared_ptr<NodeEvents> events_ = std::make_shared<NodeEvents>();
  std::shared_ptr<FrameQueue> queue_ = std::make_shared<FrameQueue>(1, kRate, 2 * kRate);
  std::shared_ptr<LiveInput> input_ = std::make_shared<LiveInput>(queue_, kRate, 1);
  std::vector<float> packet_ = std::vector<float>(kPeriod), out_ = std::vector<float>(kPeriod);
  uint64_t packets_ = 0;
  int64_t turns_ = 0;
};

}  // namespace

TEST("a link's lag stays where nothing is late") {
  Link link;
  link.run(120, 0);
  CHECK_NEAR(link.lag_ms(), 25, 1e-9);
  CHECK(link.starvations() == 0);
}

TEST(
    "a link's lag grows where packets are late, and is given back when they no longer are, "
    "unheard") {
  Link link;
  link.run(5, 0);
  link.run(20, 60e6);
  const double grown = link.lag_ms();
  CHECK(grown >= 70);
  const uint64_t starved = link.starvations();
  CHECK(starved > 0);
  // Late is late: nothing is given back.
  link.run(60, 60e6);
  CHECK_NEAR(link.lag_ms(), grown, 10);
  CHECK(link.starvations() == starved);

  double peak = 0;
  for (int i = 0; i < 400 * 100; ++i) {
    link.turn(0);
    // A break shows in the second difference of a sine.
    for (size_t k = 2; k < kPeriod; ++k) {
      const std::vector<float>& out = link.out();
      peak = std::max<double>(peak, std::fabs(out[k] - 2 * out[k - 1] + out[k - 2]));
    }
  }
  CHECK_NEAR(link.lag_ms(), 25, 1);
  CHECK(link.starvations() == starved);
  CHECK(link.resyncs() == 0);
  CHECK(peak < 0.5 * Link::kStep * Link::kStep * 1.05);
}

TEST("a frame that was late and for which there was no room is counted once") {
  constexpr size_t kCapacity = 2400;
  const auto queue = std::make_shared<FrameQueue>(1, kRate, kCapacity);
  LiveInput input(queue, kRate, 1);
  std::vector<float> packet(kPeriod, 0.5f), out(kPeriod);
  uint64_t pushed = 0, replaced = 0;
  double now = 0;
  const auto push = [&](int packets) {
    for (; packets > 0; --packets, pushed += kPeriod) {
      Record record{pushed, kPeriod, static_cast<double>(pushed) * 1e9 / kRate, kRate, 0};
      record.pauses = true;  // so a missing frame is not counted as late at once
      queue->push(packet.data(), record);
    }
  };
  const auto pull = [&](int turns) {
    for (; turns > 0; --turns, now += kPeriodNs) {
      input.pull(out.data(), kPeriod, {now - 3 * kPeriodNs, kRate});
      replaced += input.take_loss().frames;
    }
  };
  for (int i = 0; i < 200; ++i) {
    push(1);
    pull(1);
  }
  pull(30);
  push(30);  // most of it is lost
  for (int i = 0; i < 20; ++i) {
    pull(1);
    push(1);
  }
  const uint64_t lost = input.lost_frames(), starved = input.stats().starved_frames;
  CHECK(lost >= 20 * kPeriod);
  CHECK(starved >= kPeriod);
  CHECK_NEAR(static_cast<double>(starved + lost), static_cast<double>(replaced), 4 * kPeriod);
  CHECK(starved + lost <= 31 * kPeriod);
}

TEST("a link's lag does not shrink if a packet is late now and then") {
  Link link;
  link.run(5, 0);
  link.run(20, 40e6);
  const uint64_t starved = link.starvations();
  for (int i = 0; i < 20; ++i) {
    link.run(4, 0);
    link.run(0.1, 40e6);
  }
  CHECK(link.starvations() == starved);
}

// A microphone linked to a sink, or mixed for it, whose device is silent for 40 ms, and says that
// much later where it is: how many turns later the sound is as old as before.
int turns_until_back(int turns_until_stamp, bool mixed) {
  constexpr int64_t kMs = kNsPerMs;
  constexpr int kDry = 1005;
  StillClock clock;
  auto events = std::make_shared<NodeEvents>();
  SinkNode sink(clock);
  sink.open({kRate, 1, SampleFormat::kF32});
  const auto queue = std::make_shared<FrameQueue>(1, kRate, 2 * kRate);
  const auto input = std::make_shared<LiveInput>(queue, kRate, 1);
  const auto mixer = std::make_shared<MixerNode>(MixerNode::Config{kRate, 1, 25e6, false});
  const auto recorded = std::make_shared<FrameQueue>(1, kRate, 30 * kRate);
  if (mixed) {
    mixer->attach(recorded, nullptr);
    MixerNode::Input in;
    in.controls = std::make_shared<InputControls>(1, kRate);
    in.live = input;
    in.connection = 1;
    mixer->publish({in});
    sink.publish(nullptr, mixer);
  } else {
    input->follow_sink(events);
    sink.publish(nullptr, input);
  }
  // Each sample tells when it was heard: in ms, as a share of a minute.
  std::vector<float> packet(kPeriod), out(kPeriod);
  constexpr int64_t kStart = 1000;  // ms
  int64_t heard = kStart;
  double before = 0;
  int back = 0;
  for (int turn = 1; turn <= 2000; ++turn) {
    const int64_t now = (kStart + turn * 10) * kMs;
    clock.set(now);
    for (size_t i = 0; i < kPeriod; ++i) {
      packet[i] = static_cast<float>((static_cast<double>(heard) + i / 48.0) / 60000);
    }
    queue->push(packet.data(), {static_cast<uint64_t>((heard - kStart) * 48), kPeriod,
                                static_cast<double>(heard * kMs), kRate, 0});
    heard += 10;
    // There is no pull: the device plays nothing, and the next frames later.
    if (turn > kDry - 5 && turn < kDry) continue;
    if (turn == kDry) sink.underrun(40 * 48, true);
    const int64_t played = now + 20 * kMs;
    const bool told = turn < kDry || turn >= kDry + turns_until_stamp;
    sink.render(out.data(), kPeriod, told ? played : INT64_MIN);
    const double age = static_cast<double>(played) / kMs - out[kPeriod - 1] * 60000.0 + 10;
    if (turn < kDry) before = age;
    if (turn > kDry && std::abs(age - before) > 0.2) back = turn + 1 - kDry;
  }
  CHECK_NEAR(before, 45, 0.2);
  CHECK(input->stats().resyncs == (mixed ? 0 : 1));
  CHECK(input->stats().starvations == 0);
  mixer->publish({});
  // A recording of the mix misses nothing.
  std::vector<float> mix(30 * kRate);
  mix.resize(recorded->read(mix.data(), mix.size()));
  CHECK(mix.empty() != mixed);
  double largest = 0;
  for (size_t i = kRate; i < mix.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(mix[i]) - mix[i - 1]));
  }
  CHECK(largest < 0.1 / 60000);
  return back;
}

TEST(
    "after an underrun live sound is as old as before as soon as the device reports its position") {
  CHECK(turns_until_back(0, false) == 0);
  CHECK(turns_until_back(30, false) == 30);
}

TEST("so is a mix, and a recording of it misses nothing") {
  CHECK(turns_until_back(0, true) == 0);
  CHECK(turns_until_back(30, true) == 30);
}

TEST("an underrun of a device loses nothing while there is only silence") {
  StillClock clock;
  const auto events = std::make_shared<NodeEvents>();
  SinkNode sink(clock, events);
  const Format format{kRate, 1, SampleFormat::kF32};
  sink.open(format);
  const auto written = std::make_shared<WrittenQueue>(events);
  written->open({format, kRate, 1, 2 * kRate, 0});
  const std::vector<float> ones(kRate / 2, 0.5f);
  std::vector<float> out(kPeriod);
  int64_t turns = 0;
  const auto turn = [&](int count) {
    for (int k = 0; k < count; ++k) {
      clock.set(++turns * 10 * kNsPerMs);
      sink.render(out.data(), kPeriod, (turns + 2) * 10 * kNsPerMs);
    }
  };
  const auto dry = [&](uint64_t counted) {
    events->take();
    sink.underrun(kPeriod, true);
    CHECK(sink.stats().underruns == counted);
    CHECK(sink.more_fill() == 0 || counted > 0);
    CHECK(events->take().empty() == (counted == 0));
  };
  turn(10);
  dry(0);  // nothing is upstream
  sink.publish(written, nullptr);
  turn(10);
  dry(0);  // nothing was written
  written->write(ones.data(), ones.size());
  turn(20);
  dry(1);
  turn(100);
  const uint64_t before = sink.stats().underruns;
  events->take();
  sink.underrun(kPeriod, true);  // all has been heard
  CHECK(sink.stats().underruns == before);
  CHECK(events->take().empty());
}

TEST("behind a silence of the device sound is faded in, whatever was there before") {
  StillClock clock;
  auto events = std::make_shared<NodeEvents>();
  SinkNode sink(clock);
  const Format format{kRate, 1, SampleFormat::kF32};
  sink.open(format);
  const auto written = std::make_shared<WrittenQueue>(events);
  written->open({format, kRate, 1, 2 * kRate, 0});
  sink.publish(written, nullptr);
  const std::vector<float> ones(kRate, 0.5f);
  written->write(ones.data(), ones.size());
  std::vector<float> out(kPeriod);
  const auto turn = [&](int64_t n) {
    clock.set(n * 10 * kNsPerMs);
    sink.render(out.data(), kPeriod, (n + 2) * 10 * kNsPerMs);
  };
  for (int64_t n = 1; n <= 50; ++n) turn(n);
  CHECK(out.front() == 0.5f && out.back() == 0.5f);
  sink.underrun(kPeriod, false);
  turn(52);
  CHECK(out.front() == 0.5f && out.back() == 0.5f);
  sink.underrun(kPeriod, true);
  turn(54);
  CHECK(out.front() < 0.01f && out.back() == 0.5f);
  CHECK(std::is_sorted(out.begin(), out.end()));
}
