// Several captured streams as one, by the host's clock.
#include "../../src/core/graph/tap_sum.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "check.h"

using namespace patchcord;

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr int64_t kMs = kNsPerMs;

// Its one task is stepped by the test.
class SteppedClock final : public Clock {
 public:
  int64_t now() const noexcept override { return now_; }
  std::unique_ptr<Task> start(const char*, Priority, Step step) override {
    step_ = std::move(step);
    return std::make_unique<NoTask>();
  }
  void move_to(int64_t now) {
    now_ = now;
    if (step_) step_(now);
  }

 private:
  class NoTask final : public Task {
   public:
    void wake() noexcept override {}
  };
  int64_t now_ = kNsPerSecond;
  Step step_;
};

// A program's stream on a device whose clock is off: what it plays is a sine of the host's time.
class Player {
 public:
  Player(uint32_t rate, double ppm, double frequency, double gain)
      : true_rate_(rate * (1 + ppm * 1e-6)),
        period_(rate / 100),
        rate_(rate),
        frequency_(frequency),
        gain_(gain),
        samples_(rate / 100) {}

  Format format() const { return {rate_, 1, SampleFormat::kF32}; }
  void begin(int64_t now) {
    position_ = static_cast<int64_t>(static_cast<double>(now - kNsPerSecond) * 1e-9 * true_rate_);
  }
  // All packets that are complete, and 3 ms old, by then. Stamps are off by up to 20 us.
  void deliver(TapSum::Tap* tap, int64_t now) {
    for (;;) {
      const double first = static_cast<double>(position_) / true_rate_;
      const double end = static_cast<double>(position_ + period_) / true_rate_;
      if (kNsPerSecond + static_cast<int64_t>(end * 1e9) + 3 * kMs > now) return;
      for (uint32_t i = 0; i < period_; ++i) {
        const double t = static_cast<double>(position_ + i) / true_rate_;
        samples_[i] = static_cast<float>(gain_ * std::sin(2 * kPi * frequency_ * t));
      }
      jitter_ = jitter_ * 6364136223846793005u + 1442695040888963407u;
      const int64_t off = static_cast<int64_t>(jitter_ >> 33) % 40000 - 20000;
      tap->packet(samples_.data(), period_, position_,
                  kNsPerSecond + static_cast<int64_t>(first * 1e9) + off, false);
      position_ += period_;
    }
  }

 private:
  const double true_rate_;
  const uint32_t period_, rate_;
  const double frequency_, gain_;
  std::vector<float> samples_;
  int64_t position_ = 0;
  uint64_t jitter_ = 1;
};

// How far what was heard is from where the host's clock has it, by the phase over each second.
class Ear final : public TapSum::Output {
 public:
  Ear(uint32_t rate, std::vector<double> frequencies) : rate_(rate) {
    for (const double frequency : frequencies) tones_.push_back({frequency});
  }
  void on_sum(const float* samples, uint32_t frames, int64_t position,
              int64_t time) noexcept override {
    if (position != next_) ++breaks;
    next_ = position + frames;
    silent_frames += samples == nullptr ? frames : 0;
    for (uint32_t i = 0; samples != nullptr && i < frames; ++i) {
      const double t = static_cast<double>(time - kNsPerSecond) * 1e-9 + i / double(rate_);
      for (Tone& tone : tones_) {
        tone.re += samples[i] * std::sin(2 * kPi * tone.frequency * t);
        tone.im += samples[i] * std::cos(2 * kPi * tone.frequency * t);
      }
      if (++heard_ % rate_ != 0) continue;
      for (Tone& tone : tones_) {
        tone.offset_us = std::atan2(tone.im, tone.re) / (2 * kPi * tone.frequency) * 1e6;
        tone.gain = 2 * std::hypot(tone.re, tone.im) / rate_;
        if (heard_ / rate_ > 3) {
          tone.worst_us = std::max(tone.worst_us, std::fabs(tone.offset_us));
          tone.worst_gain = std::max(tone.worst_gain, std::fabs(tone.gain - 0.25));
        }
        tone.re = tone.im = 0;
      }
    }
  }

  void on_unanswered() noexcept override {}
  void on_replaced(int64_t, uint64_t frames) noexcept override { replaced += frames; }
  bool live() const noexcept override { return hurry; }

  struct Tone {
    double frequency;
    double re = 0, im = 0, offset_us = 0, gain = 0, worst_us = 0, worst_gain = 0;
  };
  const std::vector<Tone>& tones() const { return tones_; }
  uint64_t breaks = 0;
  uint64_t silent_frames = 0;
  uint64_t replaced = 0;
  bool hurry = false;  // a device plays the sum

 private:
  const uint32_t rate_;
  std::vector<Tone> tones_;
  int64_t next_ = 0;
  uint64_t heard_ = 0;
};

}  // namespace

TEST("without a tap the sum is silence by the clock, without a gap") {
  SteppedClock clock;
  Ear ear(48000, {});
  TapSums sums(clock);
  TapSum sum(&sums, 48000, 2, &ear);
  sum.start();
  for (int64_t ms = 1; ms <= 2000; ++ms) clock.move_to(kNsPerSecond + ms * kMs);
  CHECK(ear.breaks == 0);
  CHECK(ear.silent_frames >= 48000 * 195 / 100 && ear.silent_frames <= 96000);
  sum.stop();
}

LONG_TEST(
    "taps of two drifting devices stay within 0.1 ms of the host's time for an hour, in one sum") {
  constexpr uint32_t kRate = 8000;
  SteppedClock clock;
  Ear ear(kRate, {50, 120});
  TapSums sums(clock);
  TapSum sum(&sums, kRate, 1, &ear);
  sum.start();
  Player fast(kRate, 150, 50, 0.25), slow(kRate, -80, 120, 0.25);
  const auto first = sum.add(fast.format()), second = sum.add(slow.format());
  for (int64_t ms = 10; ms <= 3600 * 1000; ms += 10) {
    const int64_t now = kNsPerSecond + ms * kMs;
    clock.move_to(now);
    fast.deliver(first.get(), now);
    slow.deliver(second.get(), now);
  }
  CHECK(ear.breaks == 0);
  for (const Ear::Tone& tone : ear.tones()) {
    std::printf("  %.0f Hz: at most %.1f us off, gain within %.4f\n", tone.frequency, tone.worst_us,
                tone.worst_gain);
    CHECK(tone.worst_us < 100);
    CHECK(tone.worst_gain < 0.005);
  }
  sum.stop();
}

TEST(
    "a tap that ends is played to its end, others continue, and a later one joins at its "
    "position") {
  constexpr uint32_t kRate = 48000;
  SteppedClock clock;
  Ear ear(kRate, {100, 300});
  TapSums sums(clock);
  TapSum sum(&sums, kRate, 1, &ear);
  sum.start();
  Player one(kRate, 0, 100, 0.25), other(kRate, 0, 300, 0.25);
  const auto first = sum.add(one.format());
  std::shared_ptr<TapSum::Tap> second;
  for (int64_t ms = 10; ms <= 9000; ms += 10) {
    const int64_t now = kNsPerSecond + ms * kMs;
    clock.move_to(now);
    if (ms < 5000) one.deliver(first.get(), now);
    if (ms == 5000) sum.end(first);
    if (ms == 3000) {
      second = sum.add(other.format());
      other.begin(now);
    }
    if (second) other.deliver(second.get(), now);
  }
  CHECK(ear.breaks == 0);
  CHECK(ear.tones()[0].gain < 1e-3);
  CHECK_NEAR(ear.tones()[1].gain, 0.25, 1e-3);
  CHECK(std::fabs(ear.tones()[1].offset_us) < 50);
  sum.stop();
}

TEST("a tap that has ended is released when the next one is added") {
  constexpr uint32_t kRate = 8000;
  SteppedClock clock;
  Ear ear(kRate, {});
  TapSums sums(clock);
  TapSum sum(&sums, kRate, 1, &ear);
  sum.start();
  std::vector<std::weak_ptr<TapSum::Tap>> all;
  int64_t now = kNsPerSecond;
  for (int round = 0; round < 5; ++round) {
    Player player(kRate, 0, 100, 0.25);
    player.begin(now);
    auto tap = sum.add(player.format());
    all.push_back(tap);
    for (int ms = 10; ms <= 500; ms += 10) {
      clock.move_to(now += 10 * kMs);
      player.deliver(tap.get(), now);
    }
    sum.end(tap);
    tap.reset();
    for (int ms = 10; ms <= 1000; ms += 10) clock.move_to(now += 10 * kMs);
  }
  for (int round = 0; round + 1 < 5; ++round) CHECK(all[round].expired());
  sum.stop();
}

namespace {

class Counting final : public TapSum::Output {
 public:
  void on_sum(const float*, uint32_t frames, int64_t position, int64_t) noexcept override {
    if (position != next_) ++breaks;
    next_ = position + frames;
    turns.fetch_add(1);
  }
  void on_unanswered() noexcept override {}
  void on_replaced(int64_t, uint64_t) noexcept override {}
  bool live() const noexcept override { return true; }
  std::atomic<int> turns{0};
  int breaks = 0;

 private:
  int64_t next_ = 0;
};

}  // namespace

TEST("sums of every rate are due at the same turns") {
  SteppedClock clock;
  clock.move_to(kNsPerSecond + 3 * kMs);
  TapSums sums(clock);
  std::vector<std::unique_ptr<Counting>> outputs;
  std::vector<std::unique_ptr<TapSum>> all;
  for (const uint32_t rate : {8000u, 16000u, 44100u, 48000u, 96000u}) {
    outputs.push_back(std::make_unique<Counting>());
    all.push_back(std::make_unique<TapSum>(&sums, rate, 2, outputs.back().get()));
    all.back()->start();
  }
  // Each turn up to 3 ms late, as threads are.
  for (int64_t turn = 1; turn <= 1000; ++turn) {
    clock.move_to(kNsPerSecond + turn * 10 * kMs + turn % 4 * kMs);
    for (const auto& output : outputs) CHECK(output->turns == outputs[0]->turns);
  }
  CHECK(outputs[0]->turns >= 996 && outputs[0]->turns <= 1000);
  for (const auto& output : outputs) CHECK(output->breaks == 0);
}

TEST(
    "sums are added and removed by two threads while others run, and none is called after its "
    "end") {
  TapSums sums(real_clock());
  Counting stays;
  TapSum staying(&sums, 48000, 1, &stays);
  staying.start();
  const auto come_and_go = [&sums] {
    for (int i = 0; i < 300; ++i) {
      Counting output;
      TapSum sum(&sums, 48000, 1, &output);
      sum.start();
      if (i % 2 == 0) sum.stop();
    }
  };
  std::thread one(come_and_go), other(come_and_go);
  one.join();
  other.join();
  while (stays.turns < 3) std::this_thread::yield();
  staying.stop();
  CHECK(stays.breaks == 0);
  const int turns = stays.turns;
  staying.start();
  staying.stop();
  staying.stop();
  CHECK(stays.turns - turns <= 1);
}
