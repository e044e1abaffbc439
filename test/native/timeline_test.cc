// Places packets by counters and timestamps, good ones and bad ones.
#include "../../src/core/time/timeline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <thread>
#include <vector>

#include "check.h"
#include "random_signal.h"

using namespace patchcord;

namespace {

constexpr uint32_t kRate = 48000;
constexpr int64_t kPeriodNs = 10 * kNsPerMs;
constexpr size_t kPeriod = 480;

}  // namespace

TEST("a timeline begins with the silence before the device was open") {
  Timeline timeline(kRate, 0, false);
  const Timeline::Placement first =
      timeline.place(kPeriod, 1000, 100 * kNsPerMs, 100 * kNsPerMs + kPeriodNs);
  CHECK(first.silence == 4800);
  CHECK(!first.lost);
  CHECK(first.skip == 0);
}

TEST("frames from before the start are omitted") {
  Timeline timeline(kRate, 105 * kNsPerMs, false);
  CHECK(timeline.place(kPeriod, 0, 90 * kNsPerMs, 100 * kNsPerMs).skip == kPeriod);
  const Timeline::Placement next = timeline.place(kPeriod, kPeriod, 100 * kNsPerMs, 110 * kNsPerMs);
  CHECK(next.skip == kPeriod / 2);
  CHECK(next.silence == 0);
}

TEST("frame 0 is the sound at the start, however fast the device counts until then") {
  for (const double ppm : {200.0, -200.0}) {
    constexpr int64_t kStart = 10 * kNsPerSecond;
    Timeline timeline(kRate, kStart, false);
    const double frame_ns = 1e9 / (kRate * (1 + ppm * 1e-6));
    for (int64_t position = 0;; position += kPeriod) {
      const int64_t time = std::llround(static_cast<double>(position) * frame_ns);
      const Timeline::Placement place =
          timeline.place(kPeriod, position, time, time + std::llround(kPeriod * frame_ns));
      CHECK(place.silence == 0);
      timeline.advance(kPeriod - place.skip);
      if (place.skip == kPeriod) {
        CHECK(!timeline.begun());
        continue;
      }
      CHECK_NEAR(static_cast<double>(time) + place.skip * frame_ns, kStart, 0.6 * frame_ns);
      CHECK_NEAR(static_cast<double>(timeline.tracker().time_at(0)), kStart, 0.6 * frame_ns);
      CHECK(timeline.begun());
      break;
    }
  }
}

TEST("a jump of the device's counter is a gap of that many frames") {
  Timeline timeline(kRate, 0, false);
  int64_t now = kPeriodNs, position = 77;
  for (int i = 0; i < 100; ++i, now += kPeriodNs, position += kPeriod) {
    const Timeline::Placement place = timeline.place(kPeriod, position, now - kPeriodNs, now);
    CHECK(place.silence == 0);
    timeline.advance(kPeriod);
  }
  now += 5 * kPeriodNs;
  position += 5 * kPeriod;
  const Timeline::Placement place = timeline.place(kPeriod, position, now - kPeriodNs, now);
  CHECK(place.lost == 5 * kPeriod);
  CHECK(place.silence == 5 * kPeriod);
}

TEST("without a counter a hole shows in the time, jitter does not") {
  Timeline timeline(kRate, 0, false);
  int64_t now = kPeriodNs;
  for (int i = 0; i < 300; ++i, now += kPeriodNs) {
    const int64_t jitter = (i * 7919 % 5 - 2) * kNsPerMs;
    CHECK(timeline.place(kPeriod, -1, now - kPeriodNs + jitter, now).silence == 0);
    timeline.advance(kPeriod);
  }
  now += 10 * kPeriodNs;
  const Timeline::Placement place = timeline.place(kPeriod, -1, now - kPeriodNs, now);
  CHECK(place.lost == place.silence);
  CHECK_NEAR(static_cast<double>(place.silence), 10 * kPeriod, 200);
}

TEST("idle loopback is silence by the clock, and what comes then is trimmed to its place") {
  Timeline timeline(kRate, 0, true);
  int64_t now = 0;
  uint64_t silence = 0;
  for (; now < kNsPerSecond; now += kPeriodNs) {
    const uint64_t due = timeline.idle(now, 0);
    timeline.advance(due);
    silence += due;
  }
  CHECK_NEAR(static_cast<double>(silence), 0.96 * kRate, 480);
  const Timeline::Placement place =
      timeline.place(kPeriod, 5, now - 45 * kNsPerMs, now - 35 * kNsPerMs);
  CHECK(place.silence == 0);
  CHECK(place.skip == 240);
  CHECK(place.lost == 240);
}

// Hardware loopback, and some drivers: what plays comes 45 ms later, each time.
TEST("of a loopback whose packets are all old nothing is trimmed when it begins to play again") {
  constexpr int64_t kAge = 45 * kNsPerMs;
  Timeline timeline(kRate, 0, true);
  uint64_t trimmed = 0;
  int64_t now = kAge, position = 0;
  const auto play = [&](int periods) {
    for (int i = 0; i < periods; ++i, now += kPeriodNs, position += kPeriod) {
      const Timeline::Placement place = timeline.place(kPeriod, position, now - kAge, now);
      timeline.advance(place.silence + kPeriod - place.skip);
      trimmed += place.skip;
    }
  };
  play(100);
  for (int pause = 0; pause < 5; ++pause) {
    for (int i = 0; i < 50; ++i, now += kPeriodNs, position += kPeriod) {
      timeline.advance(timeline.idle(now, true));
    }
    play(20);
  }
  CHECK(trimmed <= kPeriod / 20);
}

// Packets that are stamped when a thread comes to fetch them, which is late at times.
TEST("a loopback that is only late keeps to its counter, one that was idle to its stamps") {
  constexpr int64_t kLag = 30 * kNsPerMs;
  for (const bool idle : {false, true}) {
    Timeline timeline(kRate, 0, true, {kLag, !idle});
    int64_t next = 0, position = 0, first = -1;
    uint64_t filled = 0, lost = 0;
    const auto take = [&](int64_t time, int64_t now) {
      const Timeline::Placement place = timeline.place(kPeriod, position, time, now);
      next += static_cast<int64_t>(place.silence);
      // The position of a packet that is skipped as a whole cannot be seen.
      const int64_t begins = place.skip == kPeriod ? first : next - position - place.skip;
      timeline.advance(place.silence + kPeriod - place.skip);
      next += kPeriod - place.skip;
      position += kPeriod;
      lost += place.lost;
      return begins;
    };
    int64_t now = kPeriodNs;
    for (int i = 0; i < 3000; ++i, now += kPeriodNs) {
      const int64_t jitter = i * 7919 % 11 * kNsPerMs;
      const int64_t begins = take(now + jitter - (idle ? kPeriodNs : 0), now + jitter);
      if (i == 0) first = begins;
      CHECK(begins == first);
      if (i % 500 != 499) continue;
      // Eight periods without a packet; then they come at once.
      for (const int64_t end = now + 8 * kPeriodNs; now < end; now += kPeriodNs) {
        const uint64_t due = timeline.idle(now + kPeriodNs, 0);
        timeline.advance(due);
        next += static_cast<int64_t>(due);
        filled += due;
      }
      for (int late = 0; late < 8 && !idle; ++late, ++i) {
        CHECK(take(now + late * kNsPerMs / 10, now + late * kNsPerMs / 10) == first);
      }
      if (idle) first = take(now - kPeriodNs, now), now += kPeriodNs;
    }
    CHECK(filled > 0);
    if (!idle) CHECK(lost == filled);
    if (idle) CHECK(first > static_cast<int64_t>(5 * 7 * kPeriod));
  }
}

// As in Wine, whose thread looks for whole packets once a packet: how long one waits for its look
// climbs or falls by a packet within half a second or half a minute, or is one of two lengths.
class Waits {
 public:
  explicit Waits(uint64_t seed) : random_(seed), climbs_(seed % 2 == 0) {
    wait_ = random_.real(0, 1);
    change();
  }
  // ns, of the next packet.
  double next() {
    if (--left_ == 0) change();
    if (climbs_) wait_ = std::fmod(wait_ + step_ + 1, 1);
    const double late = random_.whole(0, 99) == 0 ? random_.real(0, 8e6) : random_.real(0, 2e5);
    return wait_ * static_cast<double>(kPeriodNs) + late;
  }

 private:
  void change() {
    const uint32_t longest = random_.whole(0, 1) == 0 ? 200 : 3000;
    left_ = static_cast<int>(random_.whole(30, longest));
    step_ = random_.real(-1, 1) < 0 ? -1.0 / left_ : 1.0 / left_;
    if (!climbs_) wait_ = wait_ > 0.5 ? 0 : 1;
  }

  RandomSignal random_;
  const bool climbs_;
  double wait_ = 0;  // in packets
  double step_ = 0;
  int left_ = 1;
};

TEST("packets are as old as the soonest fetched, however long the others wait for that") {
  constexpr double kFrameNs = 1e9 / (kRate * (1 + 50e-6));
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Waits waits(seed);
    DeviceTiming device;
    device.fetch_stamps = true;
    Timeline timeline(kRate, 0, false, device);
    int64_t known = 0;
    uint64_t frame = 0;
    double worst = 0;
    for (int64_t packet = 0; packet < 30000; ++packet) {
      const double heard = static_cast<double>(packet * int64_t{kPeriod}) * kFrameNs;
      const double wait = waits.next();
      const int64_t time = std::llround(heard + wait) + kPeriodNs;
      const Timeline::Placement place =
          timeline.place(kPeriod, packet * int64_t{kPeriod}, time, time + 50000);
      timeline.advance(place.silence + kPeriod - place.skip);
      frame += place.silence + kPeriod - place.skip;
      // Before there has been one that did not wait, nobody can know.
      if (known == 0 && wait > 3e5) continue;
      if (++known < 500) continue;
      const double at =
          static_cast<double>(timeline.tracker().time_at(static_cast<double>(frame - kPeriod)));
      worst = std::max(worst, std::fabs(at - heard - static_cast<double>(kPeriodNs)));
    }
    CHECK_NEAR(worst, 0, 3e6);
    CHECK_NEAR(timeline.tracker().ppm(), 50, 20);
  }
}

TEST("a loopback whose packets are fetched late is late, not idle") {
  DeviceTiming device;
  device.fetch_stamps = true;
  device.idle_lag = 100 * kNsPerMs;
  Timeline timeline(kRate, 0, true, device);
  int64_t position = 0, now = kPeriodNs;
  const auto fetch = [&] {
    const Timeline::Placement place = timeline.place(kPeriod, position, now, now);
    timeline.advance(place.silence + kPeriod - place.skip);
    position += kPeriod;
    return place;
  };
  for (; now < kNsPerSecond; now += kPeriodNs) fetch();
  for (const int64_t back = now + 80 * kNsPerMs; now < back; now += kPeriodNs) {
    CHECK(timeline.idle(now, 0) == 0);
  }
  for (int i = 0; i < 8; ++i) {
    const Timeline::Placement place = fetch();
    CHECK(place.lost == 0 && place.silence == 0 && place.skip == 0);
  }
  // Nothing at all for longer is silence.
  for (const int64_t over = now + 300 * kNsPerMs; now < over; now += kPeriodNs) {
    timeline.advance(timeline.idle(now, 0));
  }
  CHECK(timeline.idle(now + kPeriodNs, 0) > 0);
}

TEST("impossible timestamps are ignored") {
  Timeline timeline(kRate, 0, false);
  const Timeline::Placement place = timeline.place(kPeriod, 0, 90 * kNsPerSecond, kPeriodNs);
  CHECK(place.silence == 0);
  CHECK(!timeline.stamped());
}

// Everything that a device has delivered by `now`; its counter counts while the machine sleeps, or
// does not.
Timeline::Placement deliver(Timeline& timeline, int64_t position, int64_t now) {
  const Timeline::Placement place = timeline.place(kPeriod, position, now - kPeriodNs, now);
  timeline.advance(place.silence + kPeriod - place.skip);
  return place;
}

TEST(
    "a first packet that is late is placed by its stamp, one from before the start is not "
    "believed") {
  constexpr int64_t kStart = 100 * kNsPerSecond, kHeard = kStart + kNsPerSecond;
  constexpr int64_t kNow = kHeard + 3 * kNsPerSecond;
  // The audio of three seconds arrives at once.
  Timeline late(kRate, kStart, true);
  CHECK(late.idle(kNow, kMaxWait) == (4 * kNsPerSecond - kMaxWait) / kPeriodNs * kPeriod);
  late.advance((4 * kNsPerSecond - kMaxWait) / kPeriodNs * kPeriod);
  uint64_t lost = 0;
  for (int64_t position = 0; position < 3 * kRate; position += kPeriod) {
    const bool first = position == 0;
    const Timeline::Placement place = late.place(kPeriod, position, first ? kHeard : kNoTime, kNow);
    CHECK(place.silence == 0);
    lost += place.lost;
    late.advance(kPeriod - place.skip);
  }
  CHECK(late.stamped());
  CHECK(lost == (3 * kNsPerSecond - kMaxWait) / kPeriodNs * kPeriod);
  CHECK_NEAR(late.tracker().time_at(4 * kRate), kNow, 1e6);

  Timeline wrong(kRate, kStart, false);
  CHECK(wrong.place(kPeriod, 0, kStart - kNsPerSecond, kNow).silence == 4 * kRate - kPeriod);
  CHECK(!wrong.stamped());
}

TEST("a sleep longer than maxFillMs is skipped by whole seconds, and the times step by as much") {
  constexpr int64_t kSlept = 7205 * kNsPerSecond + 300 * kNsPerMs;
  for (const bool counts : {true, false}) {
    SleepLog log;
    Timeline timeline(kRate, 0, false, {}, 60 * kNsPerSecond, &log);
    int64_t now = kPeriodNs, position = 77;
    for (int i = 0; i < 500; ++i, now += kPeriodNs, position += kPeriod) {
      deliver(timeline, position, now);
      CHECK(timeline.take_left_out() == 0);
    }
    CHECK(timeline.tracker().time_at(500 * kPeriod) == now - kPeriodNs);
    now += kSlept;
    if (counts) position += kSlept / kPeriodNs * kPeriod;
    const Timeline::Placement place = deliver(timeline, position, now);
    CHECK(timeline.take_left_out() == 7203);
    CHECK(place.silence == 2300 * kRate / 1000);
    CHECK_NEAR(static_cast<double>(timeline.tracker().time_at(500 * kPeriod + place.silence)),
               static_cast<double>(now - kPeriodNs), 2);
    for (int i = 0; i < 100; ++i) {
      now += kPeriodNs;
      position += kPeriod;
      CHECK(deliver(timeline, position, now).silence == 0);
    }
    CHECK_NEAR(static_cast<double>(
                   timeline.tracker().time_at(600 * kPeriod + static_cast<double>(place.silence))),
               static_cast<double>(now - kPeriodNs), 2);
  }
}

TEST("streams that notice a sleep at different instants skip the same seconds, also at once") {
  for (int round = 0; round < 200; ++round) {
    SleepLog log;
    CHECK(log.leave_out(1000 * kNsPerSecond, 1100 * kNsPerSecond) == 98);
    std::array<int64_t, 3> seconds{};
    std::vector<std::thread> streams;
    for (int i = 0; i < 3; ++i) {
      streams.emplace_back([&, i] {
        const int64_t from = 5000 * kNsPerSecond + i * 700 * kNsPerMs;
        seconds[static_cast<size_t>(i)] = log.leave_out(from, 8600 * kNsPerSecond + i * kNsPerMs);
      });
    }
    for (std::thread& stream : streams) stream.join();
    CHECK(seconds[0] == seconds[1] && seconds[1] == seconds[2]);
    CHECK(seconds[0] >= 3596 && seconds[0] <= 3598);
    CHECK(log.leave_out(9000 * kNsPerSecond, 9002 * kNsPerSecond) == 0);
  }
}
