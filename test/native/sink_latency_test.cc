// How old what a sink plays is: what it says of itself and of its mixer must be what is heard, also
// where the device has another rate.
#include <cmath>
#include <memory>
#include <vector>

#include "../../src/core/graph/mixer_node.h"
#include "../../src/core/graph/sink_node.h"
#include "../../src/core/graph/source_node.h"
#include "check.h"
#include "still_clock.h"

using namespace patchcord;

namespace {

constexpr uint32_t kRate = 48000;
constexpr size_t kPeriod = 480;
constexpr double kPi = 3.14159265358979323846;
constexpr double kTone = 10;  // Hz: an age of less than 50 ms is known from its phase
constexpr int64_t kLead = 12 * kNsPerMs;

enum class Where { kBeforeTheMixer, kSecondDevice };

// A microphone's tone through a mixer into a device of another rate. Returns how much older the
// tone is than the sink and the mixer say, in ms.
double unexplained_age_ms(uint32_t device_rate, Where where, bool limiter) {
  StillClock clock;
  clock.set(kNsPerSecond);
  SourceNode source(clock, {kRate, 1, clock.now(), 0, false});
  source.open({kRate, 1, SampleFormat::kF32});
  const auto queue = std::make_shared<FrameQueue>(1, kRate, kRate);
  source.attach(queue, nullptr);
  const auto mixer = std::make_shared<MixerNode>(MixerNode::Config{kRate, 1, 30e6, limiter});
  MixerNode::Input input;
  input.controls = std::make_shared<InputControls>(1, kRate);
  input.live = std::make_shared<LiveInput>(queue, kRate, 1);
  mixer->publish({input});
  SinkNode sink(clock);
  std::shared_ptr<Pullable> linked = mixer;
  if (where == Where::kSecondDevice) {
    sink.open({kRate, 1, SampleFormat::kF32});
  } else {
    linked = std::make_shared<RateAdapter>(mixer, kRate, 1, device_rate, 1);
  }
  sink.open({device_rate, 1, SampleFormat::kF32});
  sink.publish(nullptr, linked);

  const int64_t start = clock.now();
  std::vector<float> packet(kPeriod), out(device_rate / 100);
  double sine = 0, cosine = 0;
  for (int64_t k = 0; k < 2000; ++k) {
    for (size_t i = 0; i < kPeriod; ++i) {
      const double t = static_cast<double>(k * kPeriod + i) / kRate;
      packet[i] = static_cast<float>(0.5 * std::sin(2 * kPi * kTone * t));
    }
    const int64_t begun = start + k * 10 * kNsPerMs;
    clock.set(begun + 10 * kNsPerMs);
    source.packet(packet.data(), kPeriod, k * kPeriod, begun, false);
    sink.render(out.data(), static_cast<uint32_t>(out.size()), clock.now() + kLead);
    for (size_t i = 0; k >= 1000 && i < out.size(); ++i) {
      const double t = static_cast<double>(clock.now() + kLead - start) * 1e-9 +
                       static_cast<double>(i) / device_rate;
      sine += static_cast<double>(out[i]) * std::sin(2 * kPi * kTone * t);
      cosine += static_cast<double>(out[i]) * std::cos(2 * kPi * kTone * t);
    }
  }
  mixer->publish({});
  const double age_ms = -std::atan2(cosine, sine) / (2 * kPi * kTone) * 1e3;
  return age_ms - (mixer->latency_ns() + sink.lead_ns()) * 1e-6;
}

}  // namespace

TEST("what a device of any rate plays is as old as the sink and the mixer say") {
  for (const bool limiter : {false, true}) {
    for (const Where where : {Where::kBeforeTheMixer, Where::kSecondDevice}) {
      for (const uint32_t rate : {48000u, 44100u, 96000u, 16000u, 8000u}) {
        CHECK_NEAR(unexplained_age_ms(rate, where, limiter), 0, 0.02);
      }
    }
  }
}
