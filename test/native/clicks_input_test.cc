// No click in what an input gives, live or written, and in an effect whose input changes.
#include <cstdio>
#include <functional>
#include <memory>
#include <vector>

#include "../../src/core/graph/filter_node.h"
#include "../../src/core/graph/live_input.h"
#include "../../src/core/graph/node_events.h"
#include "../../src/core/graph/written_input.h"
#include "../../src/core/signal/gain.h"
#include "check.h"
#include "clicks.h"
#include "still_clock.h"

using namespace patchcord;

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
