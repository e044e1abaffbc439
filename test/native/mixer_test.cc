// The settings of a mixer's input: gains that move without a corner, its place in the mix, its age,
// and samples that are not numbers.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "../../src/core/graph/mixer_node.h"
#include "../../src/core/signal/smoothstep.h"
#include "check.h"
#include "random_signal.h"

using namespace patchcord;

namespace {

constexpr uint32_t kRate = 48000;
constexpr size_t kPeriod = 480;

// A mixer of one channel with written inputs, and what it gave.
class Bench {
 public:
  explicit Bench(bool limiter, double latency_ns = 30e6)
      : mixer_({kRate, 1, latency_ns, limiter}),
        queue_(std::make_shared<FrameQueue>(1, kRate, 1 << 16)) {
    mixer_.attach(queue_, nullptr);
  }
  ~Bench() { mixer_.publish({}); }

  MixerNode& mixer() { return mixer_; }

  MixerNode::Input& add(uint64_t start_frame = 0) {
    MixerNode::Input input;
    input.controls = std::make_shared<InputControls>(1, kRate);
    input.events = events_;
    input.start_frame = start_frame;
    inputs_.push_back(input);
    return inputs_.back();
  }
  void open(size_t index, uint32_t start_fill = 0) {
    ++inputs_[index].connection;
    inputs_[index].written = std::make_shared<WrittenInput>(
        WrittenInput::Config{{kRate, 1, SampleFormat::kF32}, kRate, 1, 48000, start_fill}, nullptr,
        events_);
  }
  WrittenInput& written(size_t index) { return *inputs_[index].written; }
  const LiveInput& live(size_t index) const { return *inputs_[index].live; }
  void remove(size_t index) { inputs_.erase(inputs_.begin() + static_cast<long>(index)); }
  void publish() { mixer_.publish(inputs_); }

  std::vector<float> taken() {
    std::vector<float> out(1 << 16);
    out.resize(queue_->read(out.data(), out.size()));
    return out;
  }

 private:
  std::shared_ptr<NodeEvents> events_ = std::make_shared<NodeEvents>();
  MixerNode mixer_;
  std::shared_ptr<FrameQueue> queue_;
  std::vector<MixerNode::Input> inputs_;
};

}  // namespace

TEST("a change of gain is a smooth ramp of its length, however it is cut, and ends exactly") {
  const auto ramped = [](size_t cut, float from, float to, uint32_t frames) {
    InputControls controls(1, kRate);
    std::vector<float> out(3000, 1);
    controls.set_gain(from, 0);
    controls.process(out.data(), 100);
    controls.set_gain(to, frames);
    for (size_t at = 100; at < out.size(); at += cut) {
      controls.process(&out[at], std::min(cut, out.size() - at));
    }
    return out;
  };
  const struct {
    float from, to;
    uint32_t frames;
  } cases[] = {{1, 0.5f, 480}, {0.5f, 0.6f, 1000}, {4, 0, 960}, {0, 16, 1}, {1, 0.25f, 0}};
  for (const auto& c : cases) {
    const std::vector<float> whole = ramped(3000, c.from, c.to, c.frames);
    for (size_t i = 0; i < whole.size(); ++i) {
      const double way = (static_cast<double>(i) - 99) / std::max<uint32_t>(1, c.frames);
      const double t = std::clamp(way, 0.0, 1.0);
      const double expected = c.from + (c.to - c.from) * t * t * (3 - 2 * t);
      CHECK_NEAR(whole[i], expected, 1e-5 * std::max(c.from, c.to));
    }
    CHECK(whole.back() == c.to);
    for (const size_t cut : {1ul, 7ul, 480ul, 1024ul}) {
      CHECK(ramped(cut, c.from, c.to, c.frames) == whole);
    }
  }
}

TEST("mute and pan are ramps as well; values set before the first mix hold at once") {
  InputControls controls(2, kRate);
  std::vector<float> out(2, 1);
  controls.set_gain(0.5f, 48000);
  controls.set_pan(-1, 48000);
  controls.process(out.data(), 1);
  CHECK(out[0] == 0.5f && out[1] == 0);
  controls.set_muted(true, 100);
  out.assign(2000, 1);
  controls.process(out.data(), 1000);
  CHECK_NEAR(out[0], 0.5 * (1 - 3e-4 + 2e-6), 1e-6);
  CHECK_NEAR(out[2 * 49], 0.25, 1e-4);
  CHECK(out[2 * 99] == 0);
  controls.set_muted(false, 1);
  controls.set_pan(0, 1);
  out.assign(2000, 1);
  controls.process(out.data(), 1000);
  CHECK(out[0] == 0.5f && out[1] == 0.5f);
}

TEST("gain, pan and mute have separate ramps that do not end each other") {
  InputControls controls(2, kRate);
  std::vector<float> out(2 * kRate, 1);
  controls.process(out.data(), kRate);
  controls.set_gain(0, kRate);
  controls.set_pan(1, 480);
  controls.set_muted(false, 480);
  controls.process(out.data(), kRate / 2);
  CHECK_NEAR(out[2 * 479 + 1], 1, 1e-3);
  CHECK(out[2 * 479] == 0);
  CHECK_NEAR(out[2 * (kRate / 2 - 1) + 1], 0.5, 1e-4);
  controls.set_muted(true, 480);
  out.assign(2 * kRate, 1);
  controls.process(out.data(), kRate / 4);
  CHECK(out[2 * 480 + 1] == 0);
  controls.set_muted(false, 0);
  out.assign(2 * kRate, 1);
  controls.process(out.data(), kRate / 4);
  CHECK_NEAR(out[1], 0.15625, 1e-4);  // three quarters of the way, as if it had not been muted
}

TEST("pan moves the channels at the sides, by the speakers of the layout, and not the others") {
  const struct {
    uint32_t channels;
    std::vector<float> at_the_right;
  } layouts[] = {{1, {1}},
                 {2, {0, 1}},
                 {3, {0, 1, 1}},
                 {6, {0, 1, 1, 1, 0, 1}},
                 {7, {0, 1, 1, 1, 1, 0, 1}},
                 {8, {0, 1, 1, 1, 0, 1, 0, 1}},
                 {9, {1, 1, 1, 1, 1, 1, 1, 1, 1}}};
  for (const auto& [channels, expected] : layouts) {
    InputControls controls(channels, kRate);
    controls.set_pan(1, 0);
    std::vector<float> out(channels, 1);
    controls.process(out.data(), 1);
    CHECK(out == expected);
  }
}

TEST("an input's level is what it adds to the mix") {
  InputControls controls(2, kRate);
  controls.set_gain(0.25f, 0);
  for (int i = 0; i < 20; ++i) {
    std::vector<float> block(2 * kPeriod, 0.5f);
    controls.process(block.data(), kPeriod);
  }
  CHECK_NEAR(controls.meter().snapshot().overall.peak, 0.125, 1e-6);
}

TEST(
    "a written input begins at its frame of the mix, to the sample, and delays no other input "
    "before it") {
  for (const bool limiter : {false, true}) {
    for (const uint64_t start : {0ul, 1ul, 479ul, 1023ul, 1024ul, 5000ul}) {
      for (const size_t cut : {1000ul, 77ul}) {
        Bench bench(limiter);
        bench.add();
        bench.add(start);
        bench.open(0);
        bench.open(1);
        bench.publish();
        const std::vector<float> base(6000, 0.25f), late(1500, 0.5f);
        bench.written(0).write(base.data(), base.size());
        bench.written(0).end();
        // The frames before its first one can be mixed although nothing has been written to it.
        std::vector<float> out;
        const auto mix = [&] {
          while (bench.mixer().mix_written(cut) > 0) {
          }
          const std::vector<float> more = bench.taken();
          out.insert(out.end(), more.begin(), more.end());
        };
        mix();
        const uint64_t delay = limiter ? 72 : 0;
        CHECK(out.size() == start - std::min(start, delay));
        bench.written(1).write(late.data(), late.size());
        bench.written(1).end();
        mix();
        CHECK(out.size() == std::max<uint64_t>(6000, start + 1500));
        for (size_t i = 0; i < out.size(); ++i) {
          const float second = i >= start && i < start + 1500 ? 0.5f : 0;
          CHECK(out[i] == (i < 6000 ? 0.25f : 0) + second);
        }
        CHECK(bench.mixer().written_out());
      }
    }
  }
}

TEST(
    "in a mix that runs by a clock it begins at the same frame, and the limiter's delay is left "
    "out") {
  for (const bool limiter : {false, true}) {
    Bench bench(limiter);
    bench.add(1700);
    bench.open(0);
    bench.publish();
    const std::vector<float> samples(1000, 0.5f);
    bench.written(0).write(samples.data(), samples.size());
    bench.written(0).end();
    std::vector<float> block(kPeriod);
    for (int turn = 0; turn < 10; ++turn) {
      bench.mixer().pull(block.data(), kPeriod, {1e9 + turn * 1e7, kRate});
    }
    const std::vector<float> out = bench.taken();
    CHECK(out.size() == 10 * kPeriod - (limiter ? 72 : 0));
    for (size_t i = 0; i < out.size(); ++i) CHECK(out[i] == (i >= 1700 && i < 2700 ? 0.5f : 0));
  }
}

TEST(
    "a written input waits for its fill while its writer continues, and for 20 ms when the writer "
    "stops") {
  Bench bench(false);
  bench.add();
  bench.open(0, 2000);
  bench.publish();
  const std::vector<float> samples(480, 0.5f);
  std::vector<float> block(kPeriod);
  const auto heard = [&](bool written) {
    if (written) bench.written(0).write(samples.data(), samples.size());
    bench.mixer().pull(block.data(), kPeriod, {1e9, kRate});
    return block == samples;
  };
  for (int turn = 0; turn < 4; ++turn) CHECK(!heard(true));
  CHECK(heard(true));  // 2400 frames are there
  for (int turn = 0; turn < 4; ++turn) CHECK(heard(false));
  CHECK(!heard(false));  // it underran and waits again
  CHECK(!heard(true));
  CHECK(!heard(false));
  CHECK(heard(false));
  CHECK(!heard(false));
}

TEST("an input that is removed, or changes its stream, in the middle of its sound does not click") {
  for (const bool changes : {false, true}) {
    Bench bench(false);
    bench.add();
    bench.add();
    bench.open(0);
    bench.open(1);
    bench.publish();
    const std::vector<float> stays(9600, 0.25f), goes(9600, 0.5f);
    bench.written(0).write(stays.data(), stays.size());
    bench.written(1).write(goes.data(), goes.size());
    std::vector<float> block(kPeriod);
    const auto pull = [&] { bench.mixer().pull(block.data(), kPeriod, {1e9, kRate}); };
    pull();
    pull();
    CHECK(bench.taken() == std::vector<float>(2 * kPeriod, 0.75f));
    if (changes) {
      bench.open(1);
    } else {
      bench.remove(1);
    }
    bench.publish();
    pull();
    pull();
    const std::vector<float> out = bench.taken();
    for (size_t i = 0; i < out.size(); ++i) {
      const double left = std::max(0.0, 1 - (static_cast<double>(i) + 1) / 144);
      CHECK_NEAR(out[i], 0.25 + 0.5 * smoothstep(left), 1e-6);
    }
    CHECK(out.back() == 0.25f);
  }
}

TEST("sound is not faded only because an input ends, joins or waits") {
  Bench bench(false);
  bench.add();
  bench.add(700);
  bench.open(0);
  bench.open(1);
  bench.publish();
  const std::vector<float> samples(600, 0.5f);
  for (size_t i = 0; i < 2; ++i) {
    bench.written(i).write(samples.data(), samples.size());
    bench.written(i).end();
  }
  std::vector<float> block(kPeriod);
  for (int turn = 0; turn < 2; ++turn) bench.mixer().pull(block.data(), kPeriod, {1e9, kRate});
  bench.remove(0);
  bench.publish();
  for (int turn = 0; turn < 2; ++turn) bench.mixer().pull(block.data(), kPeriod, {1e9, kRate});
  const std::vector<float> out = bench.taken();
  for (size_t i = 0; i < out.size(); ++i) {
    CHECK(out[i] == (i < 600 || (i >= 700 && i < 1300) ? 0.5f : 0));
  }
}

TEST("an input without written bytes holds the mix, so that all begin together") {
  Bench bench(false);
  bench.add();
  bench.add();
  bench.open(0);
  bench.publish();
  const std::vector<float> samples(100, 0.5f);
  bench.written(0).write(samples.data(), 100);
  CHECK(bench.mixer().mix_written(100) == 0);
  bench.open(1);
  bench.publish();
  bench.written(1).write(samples.data(), 60);
  CHECK(bench.mixer().mix_written(100) == 60);
  CHECK(bench.taken() == std::vector<float>(60, 1.0f));
}

TEST("the mix is at once as old as the live input with the largest latencyMs") {
  Bench bench(false, 30e6);
  std::vector<float> block(kPeriod);
  const auto lag_after_pull = [&] {
    bench.mixer().pull(block.data(), kPeriod, {1e9, kRate});
    return bench.mixer().lag_ns();
  };
  bench.add().latency_ns = 100e6;  // nothing linked to it
  bench.publish();
  CHECK(lag_after_pull() == 30e6);
  auto queue = std::make_shared<FrameQueue>(1, kRate, 4800);
  MixerNode::Input& input = bench.add();
  input.live = std::make_shared<LiveInput>(queue, kRate, 1);
  input.latency_ns = 80e6;
  bench.publish();
  CHECK(lag_after_pull() == 80e6);
  input.latency_ns = 10e6;
  bench.publish();
  CHECK_NEAR(lag_after_pull(), 80e6, 1e4);  // it shrinks without haste
}

TEST("the mix gets older with late packets, and younger again after a long time without any") {
  Bench bench(false, 30e6);
  auto queue = std::make_shared<FrameQueue>(1, kRate, kRate);
  MixerNode::Input& input = bench.add();
  input.live = std::make_shared<LiveInput>(queue, kRate, 1);
  bench.publish();
  std::vector<float> block(kPeriod);
  uint64_t frame = 0;
  int64_t turn = 0;
  // Both 10 ms long, packets come `late` ms after they end.
  const auto run = [&](int seconds, double late) {
    for (int i = 0; i < seconds * 100; ++i) {
      const double now = 10e6 * static_cast<double>(++turn);
      const auto time_of = [](uint64_t at) { return static_cast<double>(at) * 1e9 / kRate; };
      for (; time_of(frame + kPeriod) + late * 1e6 <= now; frame += kPeriod) {
        queue->push(block.data(), {frame, kPeriod, time_of(frame), kRate, 0});
      }
      bench.mixer().pull(block.data(), kPeriod, {now, kRate});
    }
    return bench.mixer().lag_ns() / 1e6;
  };
  CHECK_NEAR(run(30, 0), 30, 1e-9);
  const double old = run(10, 60);
  CHECK(old >= 70 && old < 120);
  CHECK_NEAR(run(60, 60), old, 10);
  const uint64_t starvations = bench.live(0).stats().starvations;
  CHECK_NEAR(run(400, 0), 30, 1);
  CHECK(bench.live(0).stats().starvations == starvations);
  CHECK(bench.live(0).stats().resyncs == 0);
}

TEST("NaN, infinities and denormals that are written are mixed as 0 or as they are") {
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(),
                       std::numeric_limits<float>::infinity(),
                       -std::numeric_limits<float>::infinity()};
  for (const bool limiter : {false, true}) {
    Bench bench(limiter);
    bench.add();
    bench.open(0);
    bench.publish();
    RandomSignal random(31);
    std::vector<float> samples = random.samples(20000, 0.9f), expected = samples;
    for (int i = 0; i < 3000; ++i) {
      const size_t at = random.whole(0, 19999);
      samples[at] = bad[i % 3];
      expected[at] = 0;
    }
    for (size_t i = 0; i < 20000; i += 97) expected[i] = samples[i] = 1e-40f;
    bench.written(0).write(samples.data(), samples.size());
    bench.written(0).end();
    while (bench.mixer().mix_written(1000) > 0) {
    }
    CHECK(bench.taken() == expected);
    const Level level = bench.mixer().meter().snapshot().overall;
    CHECK(level.peak > 0.8f && level.peak <= 0.9f);
    CHECK_NEAR(level.rms, 0.9 / std::sqrt(3.0), 0.05);
  }
}

TEST("a sum beyond what a float holds is silence, not the end of the limiter") {
  Bench bench(true);
  for (size_t i = 0; i < 2; ++i) {
    bench.add();
    bench.open(i);
  }
  bench.publish();
  std::vector<float> samples(10000, 0.1f);
  samples[100] = 3e38f;
  for (size_t i = 0; i < 2; ++i) {
    bench.written(i).write(samples.data(), samples.size());
    bench.written(i).end();
  }
  while (bench.mixer().mix_written(1000) > 0) {
  }
  std::vector<float> expected(10000, 0.2f);
  expected[100] = 0;
  CHECK(bench.taken() == expected);
}
