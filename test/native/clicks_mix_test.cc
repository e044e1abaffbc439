// No click in a mix whose inputs and devices come and go.
#include <cstdio>
#include <functional>
#include <memory>
#include <vector>

#include "../../src/core/graph/mixer_node.h"
#include "check.h"
#include "clicks.h"
#include "still_clock.h"

using namespace patchcord;

// A mixer of live inputs, pulled by a device or by nobody.
namespace {

constexpr int64_t kPeriodNs = 10 * kNsPerMs;

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

TEST("inputs that leave a mix one shortly after the other do not click") {
  for (const int apart : {0, 2, 10}) {
    char name[100];
    std::snprintf(name, sizeof name, "two of three inputs leave %d ms apart", apart);
    no_click(name, [apart](size_t phase) {
      Mix mix;
      for (size_t i = 0; i < 3; ++i) mix.controls(mix.add()).set_gain(i < 2 ? 0.4f : 0.2f, 0);
      mix.run(500 + in_ms(phase), true);
      mix.remove(0);
      mix.run(apart, true);
      mix.remove(0);
      mix.run(50, true);
      return mix.driven;
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
