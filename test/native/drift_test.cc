// An hour of two clocks, from a microphone's packets to what a sink plays: how steady the pitch is,
// how far the place in time wanders, how old the sound is when it is mixed.
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <memory>
#include <vector>

#include "../../src/core/graph/live_input.h"
#include "../../src/core/graph/mixer_node.h"
#include "../../src/core/graph/sink_node.h"
#include "../../src/core/graph/source_node.h"
#include "check.h"
#include "random_signal.h"
#include "still_clock.h"

using namespace patchcord;

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kTone = 100;  // Hz of the host's clock, so that its phase tells the time
constexpr double kStart = 1e12;
constexpr int64_t kUnknown = INT64_MIN;

// A device whose crystal wanders by 2 ppm around `ppm`; its periods end late for whom they wake.
class Device {
 public:
  Device(uint32_t rate, double ppm, double phase, uint32_t period, double spike, uint64_t seed)
      : rate_(rate), ppm_(ppm), phase_(phase), period_(period), spike_(spike), random_(seed) {
    late_ = lateness();
  }

  int64_t frame() const { return frame_; }
  double begins() const { return begins_; }
  double ends() const { return begins_ + period_ * frame_ns(); }
  double frame_ns() const {
    const double wander = 2 * std::sin(2 * kPi * begins_ / 600e9 + phase_);
    return 1e9 / (rate_ * (1 + (ppm_ + wander) * 1e-6));
  }
  double wakes() const { return ends() + late_; }
  void next() {
    begins_ = ends();
    frame_ += period_;
    late_ = lateness();
  }
  double jitter(double sigma) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += random_.real(0, 1);
    return sum * sigma;
  }

 private:
  // 0.2 ms, an exponential's worth, and now and then a spike.
  double lateness() {
    const double usual = 0.2e6 - 0.1e6 * std::log(random_.real(1e-9, 1));
    return std::min(spike_, random_.whole(0, 499) == 0 ? random_.real(0, spike_) : usual);
  }

  const double rate_, ppm_, phase_;
  const uint32_t period_;
  const double spike_;
  RandomSignal random_;
  double begins_ = kStart;
  int64_t frame_ = 0;
  double late_ = 0;
};

struct Hour {
  double locked_after = 0;  // s until each second's pitch is within 10 ppm
  double wobble_ppm = 0;    // peak of a second's pitch, in the second half
  double wander_us = 0;     // peak of the place in time about its mean, in the second half
  double age_ms = 0;        // of the sound when it leaves the mixer
  uint64_t breaks = 0;
  double offset_us = 0;
};

enum class Stamps { kDevice, kArrival };

// Both the sink and the microphone wake and are stamped like real devices; the tone's phase in the
// output, at the true time at which it is played, is where in time the sound is taken from.
Hour run(uint32_t rate, double seconds, double period_ms, double latency_ms, double spike_ms,
         Stamps stamps) {
  const uint32_t period = static_cast<uint32_t>(std::lround(period_ms * rate / 1000));
  StillClock clock;
  SourceNode source(clock, {rate, 2, static_cast<int64_t>(kStart - 1e6), 0, false});
  source.open({rate, 2, SampleFormat::kF32});
  auto queue = std::make_shared<FrameQueue>(2, rate, rate);
  source.attach(queue, nullptr);
  const auto input = std::make_shared<LiveInput>(queue, rate, 2);
  const auto mixer =
      std::make_shared<MixerNode>(MixerNode::Config{rate, 2, latency_ms * 1e6, true});
  MixerNode::Input mixed;
  mixed.controls = std::make_shared<InputControls>(2, rate);
  mixed.live = input;
  mixer->publish({mixed});
  SinkNode sink(clock);
  sink.open({rate, 2, SampleFormat::kF32});
  sink.publish(nullptr, mixer);

  Device mic(rate, 200, 0, period, spike_ms * 1e6, 1);
  Device speaker(rate, -30, 2, period, spike_ms * 1e6, 2);
  std::vector<float> packet(period * 2), out(period * 2);
  Hour hour;
  double least = 1e18, most = -1e18, before = 0, before_at = 0;
  const double ahead = 20e6;  // the device's buffer
  while (speaker.begins() < kStart + seconds * 1e9) {
    if (mic.wakes() <= speaker.wakes()) {
      clock.set(mic.wakes());
      std::complex<double> at =
          std::polar(0.25, 2 * kPi * kTone * std::fmod(mic.begins(), 1e9) / 1e9);
      const auto turn = std::polar(1.0, 2 * kPi * kTone * mic.frame_ns() * 1e-9);
      for (uint32_t i = 0; i < period; ++i, at *= turn) {
        packet[2 * i] = static_cast<float>(at.real());
        packet[2 * i + 1] = static_cast<float>(at.imag());
      }
      const double stamp = mic.begins() + mic.jitter(20e3);
      source.packet(packet.data(), period, stamps == Stamps::kDevice ? mic.frame() : -1,
                    stamps == Stamps::kDevice ? static_cast<int64_t>(stamp) : kUnknown, false);
      mic.next();
      continue;
    }
    clock.set(speaker.wakes());
    const double played = speaker.begins() + ahead;
    sink.render(out.data(), period, static_cast<int64_t>(played + speaker.jitter(20e3)));
    const double elapsed = (speaker.begins() - kStart) * 1e-9;
    // The first frame's phase, as a time; differences below half a turn, 5 ms, are meant.
    const double phase = std::atan2(out[1], out[0]) / (2 * kPi * kTone) * 1e9;
    const double expected = played - sink.lead_ns() - mixer->lag_ns();
    const double delay =
        std::remainder(phase - std::fmod(expected, 1e9), 1e9 / kTone);  // of it, ns
    hour.age_ms = (mixer->lag_ns() - delay) * 1e-6;
    if (elapsed - before_at >= 1 && elapsed > 0.3) {
      if (before_at > 0) {
        const double ppm = (delay - before) / (elapsed - before_at) * 1e-3;
        if (std::fabs(ppm) > 10) hour.locked_after = elapsed;
        if (elapsed > seconds / 2) hour.wobble_ppm = std::max(hour.wobble_ppm, std::fabs(ppm));
      }
      before = delay;
      before_at = elapsed;
    }
    if (elapsed > seconds / 2) {
      least = std::min(least, delay);
      most = std::max(most, delay);
    }
    speaker.next();
  }
  hour.wander_us = (most - least) / 2e3;
  hour.offset_us = input->offset_us();
  hour.breaks = input->stats().starvations + input->stats().resyncs + source.stats().holes +
                source.stats().trimmed_frames;
  std::printf("  %.2f s, %.2f us, %.3f ppm, %.2f ms old, %.0f us off\n", hour.locked_after,
              hour.wander_us, hour.wobble_ppm, hour.age_ms, hour.offset_us);
  return hour;
}

}  // namespace

LONG_TEST("two clocks 230 ppm apart, an hour of device stamps: 1 ppm, 10 us, no break") {
  const Hour hour = run(8000, 3600, 10, 34, 8, Stamps::kDevice);
  CHECK(hour.locked_after <= 2.5);
  CHECK(hour.wobble_ppm <= 1);
  CHECK(hour.wander_us <= 10);
  CHECK(hour.breaks == 0);
}

LONG_TEST("the same with nothing but moments of arrival: 1.7 ppm, 26 us, no break") {
  const Hour hour = run(8000, 3600, 10, 34, 8, Stamps::kArrival);
  CHECK(hour.locked_after <= 20);
  CHECK(hour.wobble_ppm <= 1.7);
  CHECK(hour.wander_us <= 26);
  CHECK(hour.breaks == 0);
}

LONG_TEST(
    "8 ms late now and then, the limiter in: a microphone is 33 ms old at most, without a break") {
  const Hour hour = run(48000, 120, 10, 30, 8, Stamps::kDevice);
  CHECK(hour.age_ms <= 33);
  CHECK(hour.breaks == 0);
}

TEST("with periods of 2.67 ms, never 1 ms late, it is 10 ms old at most") {
  const Hour hour = run(48000, 60, 8.0 / 3, 8, 1, Stamps::kDevice);
  CHECK(hour.age_ms <= 10);
  CHECK(hour.breaks == 0);
}
