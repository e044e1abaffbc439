// No click: where sound begins, ends or breaks, in whatever class, no step of the output is more
// than six times the largest step of the sound itself. The sound is a sine, broken in many phases.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <vector>

#include "../../src/core/graph/filter_node.h"
#include "../../src/core/graph/frame_queue.h"
#include "../../src/core/graph/live_input.h"
#include "../../src/core/graph/mixer_node.h"
#include "../../src/core/graph/sink_node.h"
#include "../../src/core/graph/source_node.h"
#include "../../src/core/graph/written_queue.h"
#include "../../src/core/signal/gain.h"
#include "check.h"
#include "still_clock.h"

using namespace patchcord;

namespace {

constexpr uint32_t kRate = 48000;
constexpr size_t kPeriod = 480;
constexpr int64_t kPeriodNs = 10 * kNsPerMs;
constexpr double kHz = 220, kPeak = 0.5;
constexpr double kTurn = 2 * 3.14159265358979 * kHz;
constexpr double kMostSteps = 6;
constexpr int kPhases = 6;

// The sample at `seconds`.
float tone(double seconds) { return static_cast<float>(kPeak * std::sin(kTurn * seconds)); }

std::vector<float> tone_from(int64_t frame, size_t frames, double rate = kRate) {
  std::vector<float> samples(frames);
  for (size_t i = 0; i < frames; ++i)
    samples[i] = tone(static_cast<double>(frame + static_cast<int64_t>(i)) / rate);
  return samples;
}

// The largest step, in steps of the tone.
double steps_of(const std::vector<float>& out) {
  double most = 0;
  for (size_t i = 1; i < out.size(); ++i)
    most = std::max<double>(most, std::fabs(out[i] - out[i - 1]));
  return most / (kPeak * 2 * std::sin(kTurn / kRate / 2));
}

// `play` gives what was heard of a break that begins so many frames (below a period) into the
// sound.
void no_click(const char* what, const std::function<std::vector<float>(size_t)>& play) {
  double most = 0, loudest = 0;
  for (int phase = 0; phase < kPhases; ++phase) {
    const std::vector<float> out =
        play(static_cast<size_t>(phase) * kRate / static_cast<size_t>(kHz) / kPhases);
    most = std::max(most, steps_of(out));
    for (const float sample : out) loudest = std::max<double>(loudest, std::fabs(sample));
  }
  std::printf("  %-62s %5.1f\n", what, most);
  CHECK(most <= kMostSteps);
  CHECK(loudest > 0.95 * kPeak && loudest < 2 * kPeak);  // and it did sound
}

// Frame k of the device is heard at k / rate. The device delivers in packets of 10 ms.
class Capture {
 public:
  explicit Capture(uint32_t device_rate = kRate, bool host_clock = false,
                   int64_t max_fill = 60 * kNsPerSecond, bool fills_idle = false)
      : rate_(device_rate), node_(clock_, config(host_clock, max_fill, fills_idle)) {
    node_.open({rate_, 1, SampleFormat::kF32});
    node_.attach(queue_, nullptr);
  }
  void packets(int count) {
    for (; count > 0; --count) packet(rate_ / 100);
  }
  void packet(size_t frames) {
    const std::vector<float> samples = tone_from(frame_ - began_, frames, rate_);
    const int64_t time = time_of(frame_);
    frame_ += static_cast<int64_t>(frames);
    clock_.set(time_of(frame_));
    node_.packet(samples.data(), static_cast<uint32_t>(frames),
                 frame_ - static_cast<int64_t>(frames), time, false);
  }
  void lose(size_t frames) { frame_ += static_cast<int64_t>(frames); }
  // Without a device, for so many turns of 10 ms; then there is another.
  void unplug(int turns) {
    for (; turns > 0; --turns) {
      lose(rate_ / 100);
      clock_.set(time_of(frame_));
      node_.absent();
    }
    node_.open({rate_, 1, SampleFormat::kF32});
  }
  // Nothing plays for so many turns of 10 ms; then the tone begins.
  void idle(int turns) {
    for (; turns > 0; --turns) {
      lose(rate_ / 100);
      clock_.set(time_of(frame_));
      node_.idle(true);
    }
    began_ = frame_;
  }
  SourceNode& node() { return node_; }
  std::vector<float> heard() {
    std::vector<float> out(queue_->available());
    queue_->read(out.data(), out.size());
    return out;
  }

 private:
  static SourceNode::Config config(bool host_clock, int64_t max_fill, bool fills_idle) {
    SourceNode::Config config;
    config.channels = 1;
    config.host_clock = host_clock;
    config.max_fill = max_fill;
    config.fills_idle = fills_idle;
    return config;
  }
  int64_t time_of(int64_t frame) const {
    return static_cast<int64_t>(static_cast<double>(frame) * 1e9 / rate_);
  }

  const uint32_t rate_;
  StillClock clock_;
  SourceNode node_;
  std::shared_ptr<FrameQueue> queue_ = std::make_shared<FrameQueue>(1, kRate, 10 * kRate);
  int64_t frame_ = 0, began_ = 0;
};

struct Device {
  const char* name;
  uint32_t rate;
  bool host_clock;
};
constexpr Device kDevices[] = {
    {"", kRate, false}, {", resampled", 44100, false}, {", host's clock", kRate, true}};

void capture(const char* what, const std::function<void(Capture&)>& happens,
             bool fills_idle = false, int64_t max_fill = 60 * kNsPerSecond) {
  for (const Device& device : kDevices) {
    char name[100];
    std::snprintf(name, sizeof name, "%s%s", what, device.name);
    no_click(name, [&](size_t phase) {
      Capture capture(device.rate, device.host_clock, max_fill, fills_idle);
      capture.packets(100);
      if (phase > 0) capture.packet(phase);
      happens(capture);
      capture.packets(20);
      return capture.heard();
    });
  }
}

}  // namespace

TEST("a capture that is turned off and on does not click") {
  capture("a capture turned off and on", [](Capture& of) {
    of.node().set_enabled(false);
    of.packets(5);
    of.node().set_enabled(true);
  });
}

TEST("a hole in a capture does not click, long or short") {
  capture("a hole of 50 ms in a capture", [](Capture& of) { of.lose(2400); });
  capture("a hole of 1 ms in a capture", [](Capture& of) { of.lose(48); });
  capture("a hole of 0.1 ms in a capture", [](Capture& of) { of.lose(5); });
  capture("two holes 1 ms apart", [](Capture& of) {
    of.lose(700);
    of.packet(48);
    of.lose(700);
  });
}

TEST("a device that is unplugged and comes back does not click") {
  capture("a device unplugged and back", [](Capture& of) { of.unplug(20); });
}

TEST("a loopback that is idle and sounds again does not click where its sound ended") {
  capture(
      "a loopback idle", [](Capture& of) { of.idle(20); }, true);
}

TEST("a capture's first packet behind the silence before it does not click") {
  for (const Device& device : kDevices) {
    char name[100];
    std::snprintf(name, sizeof name, "a capture opened in the middle of the sound%s", device.name);
    no_click(name, [&](size_t phase) {
      Capture capture(device.rate, device.host_clock);
      capture.lose(2000 + phase);
      capture.packets(50);
      return capture.heard();
    });
  }
}

TEST("skipped seconds do not click") {
  capture(
      "a hole longer than is filled", [](Capture& of) { of.lose(8 * kRate + 4800); }, false,
      2 * kNsPerSecond);
}

TEST("a slow reader's losses do not click") {
  no_click("a reader that was too slow", [](size_t phase) {
    FrameQueue queue(1, kRate, 4096);
    std::vector<float> out, block(kPeriod);
    uint64_t frame = 0;
    const auto push = [&](size_t frames) {
      queue.push(tone_from(static_cast<int64_t>(frame), frames).data(),
                 {frame, frames, static_cast<double>(frame) * 1e9 / kRate, kRate, 0});
      frame += frames;
    };
    const auto read = [&](size_t frames) {
      block.resize(frames);
      block.resize(queue.read(block.data(), frames));
      out.insert(out.end(), block.begin(), block.end());
    };
    push(1 + phase);
    for (int i = 0; i < 20; ++i) push(kPeriod);
    for (int i = 0; i < 40; ++i) {
      read(kPeriod);
      push(kPeriod);
    }
    CHECK(queue.lost_frames() > 0);
    return out;
  });
}

// A live stream that is pulled: its packets of 10 ms come when they are let.
namespace {

class Live {
 public:
  explicit Live(size_t pulled) : pulled_(pulled), out_(pulled) {}
  void push(int packets, bool lost = false) {
    for (; packets > 0; --packets, pushed_ += kPeriod) {
      if (lost) continue;
      queue_->push(tone_from(pushed_, kPeriod).data(),
                   {static_cast<uint64_t>(pushed_), kPeriod,
                    static_cast<double>(pushed_) * 1e9 / kRate, kRate, 0});
    }
  }
  // So many ms; the packets of that time come before, or not at all yet.
  void pull(double ms, bool packets = true) {
    for (const double until = asked_ + ms * kRate / 1000; asked_ < until;) {
      while (packets && static_cast<double>(pushed_) < asked_ + 1500) push(1);
      input_->pull(out_.data(), pulled_, {asked_ * 1e9 / kRate, kRate});
      heard_.insert(heard_.end(), out_.begin(), out_.end());
      asked_ += static_cast<double>(pulled_);
    }
  }
  void jump(double ms) { asked_ += ms * kRate / 1000; }
  LiveInput& input() { return *input_; }
  FrameQueue& queue() { return *queue_; }
  const std::vector<float>& heard() const { return heard_; }
  int64_t pushed_ = 0;

 private:
  const size_t pulled_;
  double asked_ = -1000;
  std::shared_ptr<FrameQueue> queue_ = std::make_shared<FrameQueue>(1, kRate, 4 * kRate);
  std::shared_ptr<LiveInput> input_ = std::make_shared<LiveInput>(queue_, kRate, 1);
  std::vector<float> out_, heard_;
};

void live(const char* what, const std::function<void(Live&)>& happens) {
  for (const size_t pulled : {480, 64, 17}) {
    char name[100];
    std::snprintf(name, sizeof name, "%s, asked for %zu frames", what, pulled);
    no_click(name, [&](size_t phase) {
      Live live(pulled);
      live.pull(2000 + static_cast<double>(phase) * 1000 / kRate);
      happens(live);
      live.pull(100);
      return live.heard();
    });
  }
}

}  // namespace

TEST("a live input that starves and continues does not click") {
  live("a live input that starves", [](Live& of) { of.pull(60, false); });
  live("a live input that starves for 2 ms", [](Live& of) { of.pull(32, false); });
}

TEST("a live input that jumps does not click") {
  live("a live input whose place jumps", [](Live& of) { of.jump(700.3); });
}

TEST("a live input whose stream continues later does not click") {
  live("a live input with a hole and a later stream", [](Live& of) {
    of.pull(60, false);
    of.push(30, true);
    of.jump(-20);
  });
}

TEST("a live input does not click where its stream ends") {
  live("a live input that ends", [](Live& of) {
    of.queue().end();
    of.pull(100, false);
  });
}

// A writer, and the device that pulls.
namespace {

void written(const char* what,
             const std::function<void(WrittenInput&, const std::function<void(int)>&,
                                      const std::function<void(size_t)>&)>& happens) {
  for (const size_t pulled : {480, 64, 17}) {
    char name[100];
    std::snprintf(name, sizeof name, "%s, asked for %zu frames", what, pulled);
    no_click(name, [&](size_t phase) {
      WrittenInput input({{kRate, 1, SampleFormat::kF32}, kRate, 1, kRate, 0}, nullptr,
                         std::make_shared<NodeEvents>());
      int64_t frame = 0;
      std::vector<float> out, block(pulled);
      const auto write = [&](size_t frames) {
        input.write(tone_from(frame, frames).data(), frames);
        frame += static_cast<int64_t>(frames);
      };
      const auto pull = [&](int ms) {
        for (size_t left = static_cast<size_t>(ms) * kRate / 1000; left >= pulled; left -= pulled) {
          input.pull(block.data(), pulled, {0, kRate});
          out.insert(out.end(), block.begin(), block.end());
        }
      };
      input.set_pending(true);
      write(4800 + phase);
      happens(input, pull, write);
      return out;
    });
  }
}

}  // namespace

TEST("written sound that is late does not click") {
  written("written sound that is late", [](WrittenInput&, const auto& pull, const auto& write) {
    pull(150);
    write(4800);
    pull(50);
  });
}

TEST("written sound that is discarded does not click") {
  for (const uint32_t ramp : {240u, 0u, 9600u}) {
    char name[100];
    std::snprintf(name, sizeof name, "written sound cleared within %u frames", ramp);
    written(name, [ramp](WrittenInput& input, const auto& pull, const auto& write) {
      pull(50);
      input.clear(ramp);
      pull(3);
      write(4800);
      pull(100);
    });
  }
}

// A mixer of live inputs, pulled by a device or by nobody.
namespace {

class Mix {
 public:
  Mix() { mixer_.attach(tap_, nullptr); }
  size_t add(int channels = 1) {
    MixerNode::Input input;
    input.controls = std::make_shared<InputControls>(1, kRate);
    queues_.push_back(
        std::make_shared<FrameQueue>(static_cast<uint32_t>(channels), kRate, 4 * kRate));
    input.live = std::make_shared<LiveInput>(queues_.back(), kRate, 1);
    input.connection = ++connections_;
    inputs_.push_back(input);
    mixer_.publish(inputs_);
    return inputs_.size() - 1;
  }
  void remove(size_t index) {
    inputs_.erase(inputs_.begin() + static_cast<ptrdiff_t>(index));
    queues_.erase(queues_.begin() + static_cast<ptrdiff_t>(index));
    mixer_.publish(inputs_);
  }
  InputControls& controls(size_t index) { return *inputs_[index].controls; }
  void run(int ms, bool pulled) {
    for (int i = 0; i < ms; ++i) {
      now_ += kNsPerMs;
      if (now_ % kPeriodNs == 0) {
        const int64_t frame =
            now_ / kPeriodNs * static_cast<int64_t>(kPeriod) - static_cast<int64_t>(kPeriod);
        for (const auto& queue : queues_) {
          queue->push(tone_from(frame, kPeriod).data(),
                      {static_cast<uint64_t>(frame), kPeriod,
                       static_cast<double>(frame) * 1e9 / kRate, kRate, 0});
        }
      }
      if (pulled && now_ % (2 * kNsPerMs) == 0) {
        std::vector<float> block(96);
        mixer_.pull(block.data(), 96, {static_cast<double>(now_), kRate});
        driven.insert(driven.end(), block.begin(), block.end());
      } else if (!pulled && !stalled) {
        mixer_.pump(now_);
      }
    }
  }
  void stop() { mixer_.release_driver(); }
  std::vector<float> recorded() {
    std::vector<float> out(tap_->available());
    tap_->read(out.data(), out.size());
    return out;
  }
  std::vector<float> driven;
  bool stalled = false;

 private:
  MixerNode mixer_{MixerNode::Config{kRate, 1, 30e6, false}};
  std::shared_ptr<FrameQueue> tap_ = std::make_shared<FrameQueue>(1, kRate, 20 * kRate);
  std::vector<std::shared_ptr<FrameQueue>> queues_;
  std::vector<MixerNode::Input> inputs_;
  uint64_t connections_ = 0;
  int64_t now_ = 0;
};

int in_ms(size_t phase) { return static_cast<int>(phase * 20 / 218); }

}  // namespace

TEST("an input that joins or leaves a mix does not click") {
  for (const bool pulled : {false, true}) {
    no_click(pulled ? "an input joins and leaves a mix that a device plays"
                    : "an input joins and leaves a mix that is recorded",
             [&](size_t phase) {
               Mix mix;
               mix.run(500, pulled);
               mix.add();
               mix.run(500 + in_ms(phase), pulled);
               mix.remove(0);
               mix.run(100, pulled);
               mix.add();
               mix.run(500, pulled);
               return pulled ? mix.driven : mix.recorded();
             });
  }
}

TEST("an input that is muted does not click") {
  no_click("an input muted within 10 ms", [](size_t phase) {
    Mix mix;
    mix.add();
    mix.run(500 + in_ms(phase), false);
    mix.controls(0).set_muted(true, 480);
    mix.run(100, false);
    mix.controls(0).set_muted(false, 480);
    mix.run(100, false);
    return mix.recorded();
  });
}

TEST("a device that begins or ends to play a running mix does not click") {
  no_click("a device joins a mix", [](size_t phase) {
    Mix mix;
    mix.add();
    mix.run(500 + in_ms(phase), false);
    mix.run(100, true);
    std::vector<float> out(100);
    out.insert(out.end(), mix.driven.begin(), mix.driven.end());
    return out;
  });
  no_click("the recording of a mix that a device joins and leaves", [](size_t phase) {
    Mix mix;
    mix.add();
    mix.run(500 + in_ms(phase), false);
    mix.run(101, true);
    mix.stop();
    mix.run(100, false);
    return mix.recorded();
  });
}

TEST("a mix that stood still does not click in a recording") {
  no_click("a mix that stood still for 3 s", [](size_t phase) {
    Mix mix;
    mix.add();
    mix.run(500 + in_ms(phase), false);
    mix.stalled = true;
    mix.run(3000, false);
    mix.stalled = false;
    mix.run(500, false);
    return mix.recorded();
  });
}

TEST("an effect into which another stream is piped does not click for its readers") {
  no_click("an effect whose input changes", [](size_t phase) {
    FilterNode node(std::make_unique<EffectFilter<GainRamp>>(Filter::Shape{kRate, 1},
                                                             std::make_shared<GainRamp>(1)),
                    0);
    const auto queue = std::make_shared<FrameQueue>(1, kRate, kRate);
    node.attach(queue, nullptr);
    const auto push = [&](int64_t frame, size_t frames) {
      node.push(tone_from(frame, frames).data(),
                {static_cast<uint64_t>(frame), frames, static_cast<double>(frame) * 1e9 / kRate,
                 kRate, 0});
    };
    for (int64_t i = 0; i < 10; ++i) push(i * 480, 480);
    push(4800, 1 + phase);
    for (int64_t i = 0; i < 10; ++i) push(90000 + i * 480, 480);
    std::vector<float> out(queue->available());
    queue->read(out.data(), out.size());
    CHECK(out.size() == 9601 + phase);
    return out;
  });
}

// A sink whose device requests frames every 10 ms and plays them 30 ms later.
namespace {

// A tone without an end, at the pace of the pulls, in place of a mix.
class Endless final : public Pullable {
 public:
  void pull(float* out, size_t frames, const PullTime&) noexcept override {
    const std::vector<float> samples = tone_from(frame_, frames);
    std::copy(samples.begin(), samples.end(), out);
    frame_ += static_cast<int64_t>(frames);
  }

 private:
  int64_t frame_ = 0;
};

class Sink {
 public:
  explicit Sink(uint32_t rate = kRate) { open(rate); }
  void open(uint32_t rate = kRate) {
    node.open({rate, 1, SampleFormat::kF32}, 45 * kNsPerMs);
    rate_ = rate;
    heard_.insert(heard_.end(), 100, 0.0f);
  }
  void write(size_t frames) {
    if (!queue_) {
      queue_ = std::make_shared<WrittenQueue>(node.events());
      queue_->open({{kRate, 1, SampleFormat::kF32}, kRate, 1, kRate, 0});
    }
    queue_->set_pending(true);
    queue_->write(tone_from(frame_, frames).data(), frames);
    frame_ += static_cast<int64_t>(frames);
  }
  void forget() { queue_.reset(); }
  void publish() { node.publish(queue_, linked); }
  void run(int turns, size_t frames = kPeriod) {
    std::vector<float> out(frames);
    for (; turns > 0; --turns) {
      const int64_t period = static_cast<int64_t>(frames) * kNsPerSecond / rate_;
      now_ += period;
      clock_.set(now_);
      node.render(out.data(), static_cast<uint32_t>(frames), now_ + lead_);
      heard_.insert(heard_.end(), out.begin(), out.end());
    }
  }
  // The device played all that it had, and silence.
  void dry(int ms) {
    lead_ += ms * kNsPerMs;
    node.underrun(static_cast<uint32_t>(ms) * kRate / 1000, true);
    silence_at_ = heard_.size();
    heard_.insert(heard_.end(), 500, 0.0f);
  }
  void absent(int turns) {
    for (; turns > 0; --turns) {
      now_ += kPeriodNs;
      clock_.set(now_);
      node.absent();
    }
    silence_at_ = heard_.size();
  }
  void elsewhere(int64_t by) { lead_ += by; }
  const std::vector<float>& heard() const { return heard_; }
  // Without the step to what the device could not be given: it was gone, or dry.
  std::vector<float> since() const {
    return {heard_.begin() + static_cast<ptrdiff_t>(silence_at_), heard_.end()};
  }

  std::shared_ptr<Pullable> linked;

 private:
  StillClock clock_;

 public:
  SinkNode node{clock_};

 private:
  uint32_t rate_ = kRate;
  std::shared_ptr<WrittenQueue> queue_;
  int64_t frame_ = 0;
  int64_t now_ = kNsPerSecond, lead_ = 30 * kNsPerMs;
  std::vector<float> heard_;
  size_t silence_at_ = 0;
};

}  // namespace

TEST("a stream that is piped into a sink, or unpiped, does not click") {
  for (const size_t asked : {480, 64}) {
    char name[100];
    std::snprintf(name, sizeof name, "a sink is unpiped, asked for %zu frames", asked);
    no_click(name, [asked](size_t phase) {
      Sink sink;
      sink.linked = std::make_shared<Endless>();
      sink.publish();
      sink.run(100, asked);
      if (phase > 0) sink.run(1, phase);
      sink.linked.reset();
      sink.publish();
      sink.run(100, asked);
      return sink.heard();
    });
  }
}

TEST("bytes that are written to a sink after a link, and discarded, do not click") {
  no_click("the written sound of a sink is discarded", [](size_t phase) {
    Sink sink;
    sink.write(kRate / 2);
    sink.publish();
    sink.run(10);
    if (phase > 0) sink.run(1, phase);
    sink.forget();
    sink.publish();
    sink.run(5);
    return sink.heard();
  });
  no_click("a sink that gets the same link again", [](size_t phase) {
    Sink sink;
    sink.linked = std::make_shared<Endless>();
    sink.publish();
    sink.run(10);
    if (phase > 0) sink.run(1, phase);
    sink.publish();
    sink.run(5);
    return sink.heard();
  });
  no_click("a link that written sound interrupts", [](size_t phase) {
    Sink sink;
    sink.linked = std::make_shared<Endless>();
    sink.publish();
    sink.run(10);
    if (phase > 0) sink.run(1, phase);
    sink.write(100);
    sink.publish();
    sink.run(5);
    return sink.heard();
  });
}

TEST("a device resumes after an underrun without a click") {
  for (const int ms : {1, 20, 100}) {
    char name[100];
    std::snprintf(name, sizeof name, "a device resumes after an underrun of %d ms", ms);
    no_click(name, [ms](size_t phase) {
      Sink sink;
      sink.linked = std::make_shared<Endless>();
      sink.publish();
      sink.run(100);
      if (phase > 0) sink.run(1, phase);
      sink.dry(ms);
      sink.run(20);
      return sink.since();
    });
  }
}

TEST("a sink does not click on the next device") {
  for (const uint32_t rate : {kRate, 44100u}) {
    no_click(rate == kRate ? "a sink on the next device" : "a sink on the next device, resampled",
             [rate](size_t phase) {
               Sink sink;
               sink.linked = std::make_shared<Endless>();
               sink.publish();
               sink.run(50);
               if (phase > 0) sink.run(1, phase);
               sink.absent(30);
               sink.open(rate);
               sink.run(30, rate / 100);
               return sink.since();
             });
  }
}

TEST("a device whose delay changes, so that its pace is learnt again, does not click") {
  no_click("a device whose delay leaps by 500 ms", [](size_t phase) {
    Sink sink;
    sink.linked = std::make_shared<Endless>();
    sink.publish();
    sink.run(100);
    if (phase > 0) sink.run(1, phase);
    sink.elsewhere(500 * kNsPerMs);
    sink.run(200);
    return sink.heard();
  });
}
