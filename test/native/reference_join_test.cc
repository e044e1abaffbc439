#include "../../src/core/graph/reference_join.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "../../src/core/graph/filter_node.h"
#include "../../src/core/graph/frame_queue.h"
#include "../../src/core/signal/echo_filter.h"
#include "check.h"
#include "random_signal.h"

using namespace patchcord;

namespace {

constexpr double kStart = 5e9;  // ns
constexpr double kTurn = 6.28318530717958647692;
constexpr double kLead = 10e6;

// Stores the received frames, with their flags and positions.
struct Heard final : Receiver {
  struct Part {
    Record record;
    bool silent = false;
  };
  std::vector<float> samples;
  std::vector<Part> parts;
  uint32_t channels = 2;
  bool ended = false;
  bool plays = false;

  void push(const float* from, const Record& record) noexcept override {
    parts.push_back({record, from == nullptr});
    const size_t count = static_cast<size_t>(record.frames) * channels;
    if (from != nullptr) {
      samples.insert(samples.end(), from, from + count);
    } else {
      samples.resize(samples.size() + count);
    }
  }
  void end() noexcept override { ended = true; }
  size_t room() const noexcept override { return SIZE_MAX; }
  bool live() const noexcept override { return plays; }
  size_t frames() const { return samples.size() / channels; }
};

// A device with its own clock: its packets of 10 ms, of a signal that is a function of time.
struct Device {
  uint32_t rate = 48000;
  double true_rate = 48000;
  bool pauses = false;
  uint64_t frame = 0;

  double time() const { return kStart + static_cast<double>(frame) * 1e9 / true_rate; }
  template <class Signal>
  void push(Receiver& to, const Signal& signal) {
    const size_t frames = rate / 100;
    std::vector<float> samples(frames);
    for (size_t i = 0; i < frames; ++i) {
      samples[i] = signal(time() + static_cast<double>(i) * 1e9 / true_rate);
    }
    push(to, samples.data(), frames, 0);
  }
  void push(Receiver& to, const float* samples, uint64_t frames, uint32_t flags) {
    to.push(samples, {frame, frames, time(), true_rate, flags, pauses});
    frame += frames;
  }
};

struct Joined {
  explicit Joined(uint32_t rate = 48000, uint32_t reference_rate = 48000,
                  double max_wait_ns = 100e6) {
    ReferenceJoin::Config config;
    config.sample_rate = rate;
    config.lead_ns = kLead;
    config.max_wait_ns = max_wait_ns;
    queue = std::make_shared<FrameQueue>(1, reference_rate, 2 * reference_rate);
    join = std::make_unique<ReferenceJoin>(config, std::make_shared<LiveInput>(queue, rate, 1));
    join->attach(heard, nullptr);
  }
  std::shared_ptr<FrameQueue> queue;
  std::unique_ptr<ReferenceJoin> join;
  std::shared_ptr<Heard> heard = std::make_shared<Heard>();
};

float tone(double time) {
  return static_cast<float>(0.5 * std::sin(kTurn * 441 * (time - kStart) * 1e-9));
}
float noise_like(double time) {
  return static_cast<float>(std::sin(0.37 * (time - kStart) * 1e-5) * 0.3);
}

}  // namespace

TEST("the reference is read by its times, early, whatever both clocks and rates are") {
  for (const uint32_t reference_rate : {48000u, 44100u}) {
    for (const bool plays : {false, true}) {
      Joined all(48000, reference_rate);
      all.heard->plays = plays;
      Device microphone, speakers;
      microphone.true_rate = 48000 * (1 + 60e-6);
      speakers.rate = reference_rate;
      speakers.true_rate = reference_rate * (1 - 40e-6);
      for (int turn = 0; turn < 1500; ++turn) {
        speakers.push(*all.queue, tone);
        microphone.push(*all.join, noise_like);
      }
      CHECK(all.heard->frames() > 48000 * 14);
      double worst = 0;
      for (size_t i = 48000 * 5; i < all.heard->frames(); ++i) {
        const double time = kStart + static_cast<double>(i) * 1e9 / microphone.true_rate;
        const double error = all.heard->samples[2 * i + 1] - tone(time + kLead);
        worst = std::max(worst, std::fabs(error));
      }
      CHECK(worst < 0.01);  // 8 us of the tone
      bool same = true;
      for (size_t i = 0; i < all.heard->frames(); ++i) {
        const double time = kStart + static_cast<double>(i) * 1e9 / microphone.true_rate;
        same = same && std::fabs(all.heard->samples[2 * i] - noise_like(time)) < 1e-6;
      }
      CHECK(same);
      CHECK(all.join->reference().stats().starvations <= (plays ? 1u : 0u));
    }
  }
}

TEST("joined frames are contiguous, and have the microphone's times") {
  Joined all;
  Device microphone, speakers;
  for (int turn = 0; turn < 100; ++turn) {
    microphone.push(*all.join, noise_like);
    speakers.push(*all.queue, tone);
  }
  all.join->end();
  CHECK(all.heard->ended);
  CHECK(all.heard->frames() == 48000);
  uint64_t next = 0;
  for (const Heard::Part& part : all.heard->parts) {
    CHECK(part.record.frame == next);
    CHECK_NEAR(part.record.time, kStart + static_cast<double>(next) * 1e9 / 48000, 1e3);
    next += part.record.frames;
  }
}

TEST("a late reference is waited for, but not longer than requested; a missing one is silence") {
  Joined all(48000, 48000, 200e6);
  Device microphone, speakers;
  for (int turn = 0; turn < 50; ++turn) {
    if (turn < 40) speakers.push(*all.queue, tone);
    microphone.push(*all.join, noise_like);
  }
  // The reference has stood still for 100 ms: so much waits, and the lead.
  CHECK_NEAR(static_cast<double>(all.heard->frames()), 48000 * 0.39, 480);
  CHECK_NEAR(all.join->waiting_ns(), 110e6, 11e6);
  for (int turn = 0; turn < 50; ++turn) microphone.push(*all.join, noise_like);
  CHECK_NEAR(static_cast<double>(all.heard->frames()), 48000 * 0.8, 480);
  const size_t silent = 48000 * 6 / 10;
  for (size_t i = silent; i < all.heard->frames(); ++i) CHECK(all.heard->samples[2 * i + 1] == 0);
  // It returns in its place.
  speakers.push(*all.queue, nullptr, microphone.frame - speakers.frame, kRecordSilence);
  for (int turn = 0; turn < 100; ++turn) {
    speakers.push(*all.queue, tone);
    microphone.push(*all.join, noise_like);
  }
  const size_t last = all.heard->frames() - 1;
  const double time = kStart + static_cast<double>(last) * 1e9 / 48000;
  CHECK_NEAR(all.heard->samples[2 * last + 1], tone(time + kLead), 0.02);
}

TEST("a reference that pauses while nothing plays is waited for for 100 ms") {
  Joined all(48000, 48000, 500e6);
  Device microphone, speakers;
  speakers.pauses = true;
  for (int turn = 0; turn < 100; ++turn) {
    if (turn < 20) speakers.push(*all.queue, tone);
    microphone.push(*all.join, noise_like);
  }
  CHECK_NEAR(all.join->waiting_ns(), 100e6, 10e6);
}

TEST("where a device plays it the microphone waits no longer than packets of the reference need") {
  Joined all;
  all.heard->plays = true;
  Device microphone, speakers;
  for (int turn = 0; turn < 200; ++turn) {
    if (turn >= 2) speakers.push(*all.queue, tone);  // 20 ms late
    microphone.push(*all.join, noise_like);
  }
  CHECK(all.join->live());
  CHECK(all.queue->live());
  CHECK(all.join->waiting_ns() >= 30e6);
  CHECK(all.join->waiting_ns() <= 50e6);
  // It stands still: the microphone does not wait for it.
  for (int turn = 0; turn < 100; ++turn) microphone.push(*all.join, noise_like);
  CHECK(all.join->waiting_ns() <= 50e6);
  // The reference that comes early needs no wait at all.
  Joined early;
  early.heard->plays = true;
  Device ahead, own;
  for (int turn = 0; turn < 3; ++turn) ahead.push(*early.queue, tone);
  for (int turn = 0; turn < 200; ++turn) {
    ahead.push(*early.queue, tone);
    own.push(*early.join, noise_like);
  }
  CHECK(early.join->waiting_ns() == 0);
}

TEST("a gap of the microphone is a gap of that length, reported as one") {
  Joined all;
  Device microphone, speakers;
  const auto turns = [&](int count) {
    for (int turn = 0; turn < count; ++turn) {
      speakers.push(*all.queue, tone);
      microphone.push(*all.join, noise_like);
    }
  };
  const auto gap = [&](uint64_t frames) {
    for (uint64_t done = 0; done < frames; done += 480) speakers.push(*all.queue, tone);
    microphone.push(*all.join, nullptr, frames, kRecordHole);
  };
  turns(50);
  gap(960);
  turns(50);
  // After half a minute of silence only its last second is joined.
  microphone.push(*all.join, nullptr, 30ull * 48000, kRecordHole);
  speakers.push(*all.queue, nullptr, microphone.frame - speakers.frame, kRecordSilence);
  turns(150);
  all.join->end();
  uint64_t holes = 0, next = 0;
  size_t joined_holes = 0;
  for (const Heard::Part& part : all.heard->parts) {
    CHECK(part.record.frame == next);
    next += part.record.frames;
    if ((part.record.flags & kRecordHole) == 0) continue;
    holes += part.record.frames;
    if (!part.silent) joined_holes += part.record.frames;
    CHECK(part.silent || (part.record.flags & kRecordFade) != 0);
  }
  CHECK(holes == 960 + 30ull * 48000);
  CHECK(joined_holes == 960 + 48000);
  CHECK(next == microphone.frame);
}

TEST("behind a canceller a gap is still reported as one, delayed only by the canceller") {
  Joined all;
  EchoFilter::Config config;
  auto node = std::make_shared<FilterNode>(std::make_unique<EchoFilter>(config), 0);
  auto heard = std::make_shared<Heard>();
  heard->channels = 1;
  node->set_ends(true);
  node->attach(heard, nullptr);
  all.join->attach(node, nullptr);
  Device microphone, speakers;
  RandomSignal random(3);
  for (int turn = 0; turn < 100; ++turn) {
    speakers.push(*all.queue, tone);
    if (turn >= 50 && turn < 60) {
      microphone.push(*all.join, nullptr, 480, kRecordHole);
    } else {
      microphone.push(*all.join,
                      [&](double) { return static_cast<float>(random.real(-0.1, 0.1)); });
    }
  }
  all.join->end();
  CHECK(heard->ended);
  CHECK(heard->frames() == 48000);
  uint64_t holes = 0, first = 0;
  for (const Heard::Part& part : heard->parts) {
    if ((part.record.flags & kRecordHole) == 0) continue;
    if (holes == 0) first = part.record.frame;
    holes += part.record.frames;
  }
  CHECK(holes == 4800);
  CHECK_NEAR(static_cast<double>(first), 24000, 480);
}
