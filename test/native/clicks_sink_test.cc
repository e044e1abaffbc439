// No click in what a device plays.
#include <cstdio>
#include <functional>
#include <memory>
#include <vector>

#include "../../src/core/graph/sink_node.h"
#include "../../src/core/graph/written_queue.h"
#include "check.h"
#include "clicks.h"
#include "still_clock.h"

using namespace patchcord;

// A sink whose device requests frames every 10 ms and plays them 30 ms later.
namespace {

constexpr int64_t kPeriodNs = 10 * kNsPerMs;

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
