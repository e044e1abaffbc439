// No click in what a device delivers, wherever it breaks, and in what a slow reader gets of it.
#include <cstdio>
#include <functional>
#include <memory>
#include <vector>

#include "../../src/core/graph/frame_queue.h"
#include "../../src/core/graph/source_node.h"
#include "check.h"
#include "clicks.h"
#include "still_clock.h"

using namespace patchcord;

namespace {

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
