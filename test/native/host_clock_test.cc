// Sources on the host's clock: devices whose crystals are off and wander hear one sine, and each
// stream must have it where the host's clock says that it was heard.
#include "../../src/core/graph/host_clock.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "../../src/core/graph/frame_queue.h"
#include "../../src/core/graph/source_node.h"
#include "check.h"
#include "random_signal.h"
#include "sine_fit.h"
#include "still_clock.h"

using namespace patchcord;

namespace {

constexpr uint32_t kRate = 8000;
constexpr uint32_t kPeriod = 80;
// Frames that the node's resampler holds back.
const double kFilter =
    static_cast<double>(Resampler(kRate, kRate, 1, ResamplerQuality::kBest, true).latency_in());
constexpr double kHz = 440;
constexpr int64_t kUptime = 500000 * kNsPerSecond;  // a machine that has been up for six days

constexpr double kHour = 3600;

struct Crystal {
  double ppm = 0;
  double wander_ppm = 0;  // about it, in ten minutes once up and down
  double stamp_sigma_ns = 0;
  uint32_t rate = kRate;
};

// A device that hears the sine of the host's time, and a stream of it on the host's clock.
class Track {
 public:
  Track(const Crystal& crystal, SourceNode::Config config, double opened)
      : crystal_(crystal), seconds_(opened), random_(7 + static_cast<uint64_t>(crystal.ppm + 500)) {
    config.host_clock = true;
    config.channels = 1;
    node_ = std::make_unique<SourceNode>(clock_, config);
    node_->open({crystal.rate, 1, SampleFormat::kF32});
    queue_ = std::make_shared<FrameQueue>(1, config.sample_rate, 70 * config.sample_rate);
    node_->attach(queue_, nullptr);
    packet_.resize(crystal.rate / 100);
  }

  void next() {
    const int64_t stamp = ns(seconds_) + static_cast<int64_t>(normal() * crystal_.stamp_sigma_ns);
    const double ppm = crystal_.ppm + crystal_.wander_ppm * std::sin(2 * kPi * seconds_ / 600);
    const double step = 1 / (crystal_.rate * (1 + ppm * 1e-6));
    for (size_t i = 0; i < packet_.size(); ++i) {
      const double turns = kHz * (seconds_ + static_cast<double>(i) * step);
      packet_[i] = static_cast<float>(0.5 * std::sin(2 * kPi * (turns - std::floor(turns))));
    }
    seconds_ += static_cast<double>(packet_.size()) * step;
    clock_.set(ns(seconds_));
    node_->packet(packet_.data(), static_cast<uint32_t>(packet_.size()), position_, stamp + shift_,
                  false);
    position_ += static_cast<int64_t>(packet_.size());
  }
  // The endpoint has nothing to play.
  void idle(double until) {
    while (seconds_ < until) {
      seconds_ += 0.02;
      clock_.set(ns(seconds_));
      node_->idle(true);
      queue_->skip_to(node_->position() - kRate);
    }
  }
  // The system loses so much, and the device's counter tells.
  void lose(double frames) {
    seconds_ += frames / (crystal_.rate * (1 + crystal_.ppm * 1e-6));
    position_ += static_cast<int64_t>(frames);
  }
  // From now on stamps are wrong by so much.
  void shift_stamps(int64_t by_ns) { shift_ = by_ns; }
  void run(double until) {
    while (seconds_ < until) next();
  }
  // How much later than it should a frame of the stream has the sine: us, over a tenth of a second.
  double error_us() {
    const size_t count = node_->config().sample_rate / 10;
    std::vector<float> samples(count);
    queue_->skip_to(node_->position() - count);
    const FrameQueue::Span first = queue_->front(1);
    CHECK(queue_->read(samples.data(), count) == count);
    const double start = (first.time - static_cast<double>(kUptime)) * 1e-9;
    const SineFit fit = fit_sine(samples.data(), 1, count, [&](size_t i) {
      return kHz * (start + static_cast<double>(i) / node_->config().sample_rate);
    });
    snr_db_ = std::min(snr_db_, fit.snr_db());
    return -fit.phase / kHz * 1e6;
  }
  double seconds() const { return seconds_; }
  double least_snr_db() const { return snr_db_; }
  SourceNode& node() { return *node_; }
  FrameQueue& queue() { return *queue_; }

  static int64_t ns(double seconds) { return kUptime + std::llround(seconds * 1e9); }

 private:
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += random_.real(0, 1);
    return sum;
  }

  const Crystal crystal_;
  StillClock clock_;
  std::unique_ptr<SourceNode> node_;
  std::shared_ptr<FrameQueue> queue_;
  std::vector<float> packet_;
  int64_t position_ = 1234;
  int64_t shift_ = 0;
  double seconds_;
  double snr_db_ = 1000;
  RandomSignal random_;
};

SourceNode::Config from(double start_seconds, uint32_t rate = kRate) {
  SourceNode::Config config;
  config.sample_rate = rate;
  config.start = Track::ns(start_seconds);
  return config;
}

struct Peak {
  double most = 0;
  void see(double value) { most = std::max(most, std::fabs(value)); }
};

}  // namespace

LONG_TEST("two devices 230 ppm apart, wandering, stamps off by 20 us: one timeline for an hour") {
  Track a({150, 2, 20e3}, from(0), 0.08);
  Track b({-80, 2, 20e3}, from(0), 0.13);
  Peak first_seconds, apart, late, wobble;
  double last_a = 0, last_b = 0;
  for (double second = 1; second <= kHour; ++second) {
    for (Track* track : {&a, &b}) track->run(second);
    const double error_a = a.error_us(), error_b = b.error_us();
    (second <= 10 ? first_seconds : apart).see(error_a - error_b);
    if (second > 60) {
      late.see(error_a);
      late.see(error_b);
      wobble.see(error_a - last_a);  // us in a second: ppm
      wobble.see(error_b - last_b);
    }
    last_a = error_a;
    last_b = error_b;
  }
  std::printf("  apart %.1f us in 10 s, then %.2f us; of the host's clock %.2f us, %.3f ppm\n",
              first_seconds.most, apart.most, late.most, wobble.most);
  CHECK(first_seconds.most <= 40);
  CHECK(apart.most <= 10);
  CHECK(late.most <= 10);
  CHECK(wobble.most <= 1);
  CHECK_NEAR(a.node().drift_ppm(), 150, 3);
  CHECK_NEAR(b.node().drift_ppm(), -80, 3);
  CHECK(std::llabs(static_cast<int64_t>(a.node().position() - b.node().position())) <= 2 * kPeriod);
}

TEST("another rate, and stamps that jitter by a millisecond") {
  Track plain({150, 0, 0, 44100}, from(0, 48000), 0.1);
  Track jittery({150, 0, 1e6, 44100}, from(0, 48000), 0.1);
  Peak late, wobble;
  double last = 0;
  for (double second = 1; second <= 60; ++second) {
    plain.run(second);
    jittery.run(second);
    if (second >= 5) CHECK_NEAR(plain.error_us(), 0, 2);
    const double error = jittery.error_us();
    if (second < 20) continue;
    late.see(error);
    if (last != 0) wobble.see(error - last);
    last = error;
  }
  std::printf("  jitter of 1 ms: %.0f us late, %.1f ppm; without: %.0f dB\n", late.most,
              wobble.most, plain.least_snr_db());
  CHECK(late.most <= 300);  // a third of what one stamp is off
  CHECK(wobble.most <= 60);
}

TEST("frame k was heard at start + k / rate, exactly, and every record says so") {
  Track a({150, 2, 20e3}, from(1.25), 0.5);
  Track b({-80, 2, 20e3}, from(1.25), 2.5);
  const double start = static_cast<double>(Track::ns(1.25));
  for (double second = 1; second < 20; ++second) {
    for (Track* track : {&a, &b}) {
      track->run(second);
      CHECK(track->node().anchor().time_at(kRate * 3600.0) == start + 3600e9);
      CHECK_NEAR(track->node().anchor().frame_at(start + 1e9), kRate, 1e-6);
      for (;;) {
        const FrameQueue::Span span = track->queue().front(kRate);
        if (span.frames == 0) break;
        CHECK_NEAR(span.time, start + static_cast<double>(span.frame) * 1e9 / kRate, 0.5);
        track->queue().advance(span.frames);
      }
    }
  }
}

TEST("a start in the past is silence up to the opening, an hour of it at no cost") {
  for (const double ago : {0.5, 3600.0, 86400.0}) {
    Track track({150, 0, 0}, from(0), ago);
    track.run(ago + 0.05);
    const FrameQueue::Span silence = track.queue().front(SIZE_MAX);
    CHECK(silence.samples == nullptr && silence.flags == kRecordSilence);
    CHECK_NEAR(static_cast<double>(silence.frames), ago * kRate, 2);
    CHECK(track.queue().lost_frames() == 0);
    CHECK(track.node().stats().holes == 0);
    track.run(ago + 0.2);
    CHECK_NEAR(track.error_us(), 0, 150);  // a frame: where it began
    track.run(ago + 10);
    CHECK_NEAR(track.error_us(), 0, 3);
  }
}

TEST(
    "with a start in the future frame 0 is the sound of that time, and the clock is known by "
    "then") {
  Track track({150, 0, 0}, from(20), 0);
  track.run(19.9);
  CHECK(track.node().position() == 0);
  CHECK_NEAR(track.node().drift_ppm(), 150, 1);
  track.run(20.2);
  CHECK(track.queue().front(1).frame == 0);
  CHECK(track.queue().front(1).flags == 0);
  CHECK_NEAR(track.error_us(), 0, 70);
  CHECK(track.node().stats().trimmed_frames == 0);
  CHECK(track.node().stats().silence_frames == 0);
  track.run(22);
  CHECK_NEAR(track.error_us(), 0, 2);
}

TEST("gaps of any length are filled by the host's time, and counted in it") {
  Track track({150, 0, 0}, from(0), 0.1);
  track.run(10);
  uint64_t lost = 0;
  for (const double frames : {1.0, 7.0, 80.0, 300.0, 8000.0, 400000.0}) {
    const double began = track.seconds();
    track.lose(frames);
    lost += static_cast<uint64_t>(frames / (1 + 150e-6));
    track.run(track.seconds() + 0.3);
    CHECK_NEAR(track.error_us(), 0, 70);
    CHECK_NEAR(static_cast<double>(track.node().position()), track.seconds() * kRate - kFilter, 10);
    CHECK(track.seconds() > began);
  }
  CHECK(track.node().stats().holes == 6);
  CHECK_NEAR(static_cast<double>(track.node().stats().hole_frames), static_cast<double>(lost), 30);
  track.run(track.seconds() + 60);
  CHECK_NEAR(track.error_us(), 0, 5);
}

TEST("an idle loopback is silence by the host's clock, and what plays then is in its place") {
  SourceNode::Config config = from(0);
  config.fills_idle = true;
  Track track({150, 0, 0}, config, 0.1);
  track.run(10);
  for (const double until : {10.5, 40.0, 3640.0}) {
    track.idle(until);
    CHECK_NEAR(static_cast<double>(track.node().position()),
               (track.seconds() - 0.04) * kRate - kFilter, 180);
    const Record* newest = track.queue().latest();
    CHECK(newest != nullptr && newest->flags == kRecordSilence);
    track.run(track.seconds() + 0.5);
    CHECK_NEAR(track.error_us(), 0, 150);
  }
  CHECK(track.node().stats().holes == 0);
  track.run(3700);
  CHECK_NEAR(track.error_us(), 0, 5);
}

TEST("timestamps that jump cause a gap or skipped frames, and the timeline stays right") {
  Track track({150, 0, 20e3}, from(0), 0.1);
  track.run(20);
  for (const int64_t shift : {300 * kNsPerMs, int64_t{0}, 5 * kNsPerMs, int64_t{0}}) {
    track.shift_stamps(shift);
    track.run(track.seconds() + 30);
    // Heard that much later: the sine is late by it, whole turns aside.
    const double turns = static_cast<double>(shift) * 1e-9 * kHz;
    const double late = (turns - std::round(turns)) / kHz * 1e6;
    CHECK_NEAR(track.error_us(), late, 30);
    CHECK_NEAR(static_cast<double>(track.node().position()),
               (track.seconds() + static_cast<double>(shift) * 1e-9) * kRate - kFilter, 10);
  }
  CHECK(track.node().stats().holes == 1);
  CHECK_NEAR(static_cast<double>(track.node().stats().hole_frames), 2400, 2);
  CHECK_NEAR(static_cast<double>(track.node().stats().trimmed_frames), 2400, 2);
}

TEST("durations are exact, and disabled is silence in place") {
  for (const double ppm : {150.0, -80.0}) {
    SourceNode::Config config = from(0);
    config.duration_frames = 5 * kRate;
    Track track({ppm, 0, 0}, config, 0.1);
    track.run(3);
    track.node().set_enabled(false);
    track.run(3.5);
    const Record* newest = track.queue().latest();
    CHECK(newest != nullptr && newest->flags == kRecordSilence);
    track.node().set_enabled(true);
    track.run(4.5);
    CHECK_NEAR(track.error_us(), 0, 10);
    track.run(6);
    CHECK(track.node().position() == 5 * kRate);
    CHECK(track.queue().ended());
  }
}
