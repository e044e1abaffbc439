// Two clocks for an hour through the engine's own classes, in simulated time: a microphone whose
// crystal is off by some ppm and wanders, a source, a mixer, and a sink on a clock that is right.
// The measurement uses the output instead of the classes' own figures: the microphone records a
// sine of 1 kHz of the host's time, so the phase of each 10 ms that is played shows its age, to the
// nanosecond. Prints one JSON object.
//
//     drift PPM stamps|arrival [SECONDS]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "../../src/core/graph/mixer_node.h"
#include "../../src/core/graph/sink_node.h"
#include "../../src/core/graph/source_node.h"
#include "../../test/native/random_signal.h"

using namespace patchcord;

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr uint32_t kRate = 48000;
constexpr size_t kPeriod = 480;
constexpr double kPeriodSeconds = 0.01;
constexpr double kToneHz = 1000;  // ten whole turns in a period
constexpr double kLevel = 0.5;
constexpr double kSettled = 30;  // s, after which wander and wobble count
constexpr double kSinkBuffer = 0.02;

class SimulatedClock final : public Clock {
 public:
  int64_t now() const noexcept override { return now_; }
  std::unique_ptr<Task> start(const char*, Priority, Step) override { return nullptr; }
  void set(double seconds) { now_ = nanoseconds(seconds); }
  static int64_t nanoseconds(double seconds) {
    return 500000 * kNsPerSecond + static_cast<int64_t>(std::llround(seconds * 1e9));
  }

 private:
  int64_t now_ = 0;
};

class Weather {
 public:
  explicit Weather(uint64_t seed) : random_(seed) {}
  // Normally distributed, 20 us.
  double stamp() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += random_.real(0, 1);
    return 20e-6 * sum;
  }
  // How late a thread wakes: always a little, once in a thousand times by up to 8 ms.
  double wake() {
    const double spike = random_.whole(0, 999) == 0 ? random_.real(0, 8e-3) : 0;
    return 0.1e-3 - 0.1e-3 * std::log(random_.real(1e-4, 1)) + spike;
  }

 private:
  RandomSignal random_;
};

// The microphone: its crystal, and the packets that it has delivered.
class Microphone {
 public:
  explicit Microphone(double ppm) : ppm_(ppm) {}
  double ppm_at(double seconds) const { return ppm_ + 2 * std::sin(2 * kPi * seconds / 600); }
  double start() const { return start_; }
  double end() const { return end_; }
  int64_t position() const { return position_; }
  const float* samples() const { return samples_; }
  double true_ppm() const { return ppm_at(start_); }

  void next() {
    position_ += kPeriod;
    start_ = end_;
    const double frame = 1 / (kRate * (1 + ppm_at(start_) * 1e-6));
    for (size_t i = 0; i < kPeriod; ++i) {
      const double turns = kToneHz * (start_ + static_cast<double>(i) * frame);
      samples_[i] = static_cast<float>(kLevel * std::sin(2 * kPi * (turns - std::floor(turns))));
    }
    end_ = start_ + kPeriod * frame;
  }

 private:
  const double ppm_;
  double start_ = 0, end_ = 0.003;
  int64_t position_ = -static_cast<int64_t>(kPeriod);
  float samples_[kPeriod];
};

struct Heard {
  double age_turns;  // within a turn
  double rest;       // RMS of everything except the tone, relative to the tone's
  double level;
};

Heard listen(const float* samples) {
  double s = 0, c = 0, energy = 0;
  static double sines[kPeriod], cosines[kPeriod];
  if (cosines[0] == 0) {
    for (size_t i = 0; i < kPeriod; ++i) {
      sines[i] = std::sin(2 * kPi * kToneHz * static_cast<double>(i) / kRate);
      cosines[i] = std::cos(2 * kPi * kToneHz * static_cast<double>(i) / kRate);
    }
  }
  for (size_t i = 0; i < kPeriod; ++i) {
    s += double{samples[i]} * sines[i];
    c += double{samples[i]} * cosines[i];
    energy += double{samples[i]} * samples[i];
  }
  const double tone = 2 * (s * s + c * c) / kPeriod;
  return {-std::atan2(c, s) / (2 * kPi), std::sqrt(std::max(0.0, energy - tone) / energy),
          std::sqrt(2 * energy / kPeriod)};
}

struct Span {
  double least = 1e300, most = -1e300, sum = 0, squares = 0, count = 0;
  void add(double value) {
    least = std::min(least, value);
    most = std::max(most, value);
    sum += value;
    squares += value * value;
    ++count;
  }
  double mean() const { return sum / count; }
  double rms() const { return std::sqrt(std::max(0.0, squares / count - mean() * mean())); }
  double peak() const { return std::max(most - mean(), mean() - least); }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "drift PPM stamps|arrival [SECONDS]\n");
    return 1;
  }
  const bool stamps = std::strcmp(argv[2], "stamps") == 0;
  const double seconds = argc > 3 ? std::atof(argv[3]) : 3600;
  Microphone microphone(std::atof(argv[1]));
  Weather weather(7);
  SimulatedClock clock;
  clock.set(0);

  SourceNode source(clock, {kRate, 1, clock.now()});
  source.open({kRate, 1, SampleFormat::kF32});
  auto queue = std::make_shared<FrameQueue>(1, kRate, kRate);
  source.attach(queue, nullptr);
  auto input = std::make_shared<LiveInput>(queue, kRate, 1);
  MixerNode::Config config;
  config.channels = 1;
  auto mixer = std::make_shared<MixerNode>(config);
  MixerNode::Input mixed;
  mixed.controls = std::make_shared<InputControls>(1, kRate);
  mixed.live = input;
  mixed.events = std::make_shared<NodeEvents>();
  mixer->publish({mixed});
  SinkNode sink(clock);
  sink.open({kRate, 1, SampleFormat::kF32});
  sink.publish(nullptr, mixer);
  RateTracker tracker(kRate, stamps);  // on its own, with the same timestamps

  // For the tracker and for the output: when they were last more than 10 ppm off.
  double tracker_late = 0, heard_late = 0, first_sound = -1, first_packet = -1;
  double turns = 0, last_turns = 0;
  size_t glitches = 0;
  Span age, wobble, tracker_wobble;
  struct Point {
    double seconds;
    Span off_ppm, age_us;
    double true_ppm;
  };
  std::vector<Point> points;
  float played[kPeriod];
  microphone.next();
  double packet_due = microphone.end() + weather.wake(), packet_last = 0;
  for (size_t pull = 0; static_cast<double>(pull) * kPeriodSeconds < seconds; ++pull) {
    const double nominal = static_cast<double>(pull) * kPeriodSeconds;
    const double now = nominal + weather.wake();
    // All packets captured before this wake of the sink.
    while (packet_due <= now) {
      packet_last = std::max(packet_last, packet_due);
      clock.set(packet_last);
      if (first_packet < 0) first_packet = packet_last;
      const int64_t stamp = SimulatedClock::nanoseconds(microphone.start() + weather.stamp());
      source.packet(microphone.samples(), kPeriod, microphone.position(),
                    stamps ? stamp : INT64_MIN, false);
      // A time of arrival belongs to the packet's end.
      tracker.update(microphone.position(),
                     stamps ? stamp : clock.now() - static_cast<int64_t>(kPeriodSeconds * 1e9));
      const double off = tracker.ppm() - microphone.true_ppm();
      if (std::fabs(off) > 10) tracker_late = packet_last;
      if (packet_last > kSettled) tracker_wobble.add(off);
      microphone.next();
      packet_due = microphone.end() + weather.wake();
    }
    clock.set(now);
    sink.render(played, kPeriod,
                SimulatedClock::nanoseconds(nominal + kSinkBuffer + weather.stamp()));
    const Heard heard = listen(played);
    if (heard.level < 0.9 * kLevel) {
      if (first_sound >= 0) ++glitches;
      continue;
    }
    if (first_sound < 0) {
      first_sound = nominal;
      turns = last_turns = heard.age_turns;
      continue;
    }
    turns += std::remainder(heard.age_turns - turns, 1.0);
    // The age grows by the audio that is played too slowly.
    const double off_ppm = (last_turns - turns) / kToneHz / kPeriodSeconds * 1e6;
    last_turns = turns;
    if (std::fabs(off_ppm) > 10) heard_late = nominal;
    // A pitch that is off by the permitted 500 ppm leaves a rest of 0.01; a frame too many or too
    // few leaves one of 0.06.
    if (nominal > first_sound + 0.1 && heard.rest > 0.02) ++glitches;
    const double age_us = turns / kToneHz * 1e6;
    if (nominal > kSettled) {
      age.add(age_us);
      wobble.add(off_ppm);
    }
    const double every = nominal < 10 ? 0.05 : 10;
    if (points.empty() || nominal >= points.back().seconds + every) {
      points.push_back({nominal, {}, {}, microphone.true_ppm()});
    }
    points.back().off_ppm.add(off_ppm);
    points.back().age_us.add(age_us);
  }

  std::printf("{\"ppm\":%s,\"stamps\":%s,\"seconds\":%g,", argv[1], stamps ? "true" : "false",
              seconds);
  std::printf("\"trackerTo10ppm\":%.2f,\"heardTo10ppm\":%.2f,", tracker_late - first_packet,
              heard_late - first_sound);
  std::printf("\"trackerWobblePpm\":{\"rms\":%.3f,\"peak\":%.3f},", tracker_wobble.rms(),
              tracker_wobble.peak());
  std::printf("\"wanderUs\":{\"rms\":%.2f,\"peak\":%.2f},", age.rms(), age.peak());
  std::printf("\"wobblePpm\":{\"rms\":%.3f,\"peak\":%.3f},", wobble.rms(), wobble.peak());
  std::printf("\"breaks\":%zu,\"starvations\":%llu,\"starvedFrames\":%llu,\"resyncs\":%llu,",
              glitches, static_cast<unsigned long long>(input->stats().starvations),
              static_cast<unsigned long long>(input->stats().starved_frames),
              static_cast<unsigned long long>(input->stats().resyncs));
  std::printf(
      "\"holes\":%llu,\"trimmed\":%llu,\"lost\":%llu,\"lagMs\":%.2f,\"limiterMs\":%.2f,\"points\":"
      "[",
      static_cast<unsigned long long>(source.stats().holes),
      static_cast<unsigned long long>(source.stats().trimmed_frames),
      static_cast<unsigned long long>(input->lost_frames()), mixer->lag_ns() / 1e6,
      1e3 * static_cast<double>(Limiter(kRate, 1).latency_frames()) / kRate);
  const char* comma = "";
  for (const Point& point : points) {
    std::printf("%s[%.2f,%.3f,%.3f,%.3f,%.3f,%.2f]", comma, point.seconds, point.true_ppm,
                point.off_ppm.mean(), point.off_ppm.least, point.off_ppm.most,
                point.age_us.mean() - age.mean());
    comma = ",";
  }
  std::printf("]}\n");
}
