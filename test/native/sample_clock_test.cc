// The sample clock of a simulated device.
#include "../../src/backend/simulated/sample_clock.h"

#include <cmath>

#include "../../src/core/time/clock.h"
#include "check.h"

using namespace patchcord;

TEST("sample clock: exact to the frame over a day") {
  __extension__ typedef __int128 Wide;
  const int64_t day = 86400 * kNsPerSecond;
  for (const double ppm : {0.0, 37.125, -199.999, 100000.0}) {
    for (const uint32_t rate : {44100u, 48000u, 384000u}) {
      SampleClock clock(0, rate, ppm);
      const Wide slope = static_cast<Wide>(rate) * (1000000000 + std::llround(ppm * 1000));
      const Wide unit = static_cast<Wide>(1000000000) * 1000000000;
      int64_t now = 0;
      while (now < day) {
        now += 7777777777;
        clock.move_to(now);
        CHECK(clock.frame_at(now) == static_cast<int64_t>(slope * now / unit));
        const int64_t next = clock.frame_at(now) + 480;
        const int64_t instant = clock.time_of(next);
        CHECK(clock.frame_at(instant) == next && clock.frame_at(instant - 1) == next - 1);
        CHECK(instant == static_cast<int64_t>((next * unit + slope - 1) / slope));
      }
    }
  }
}

TEST("sample clock: a change of drift does not move the count") {
  SampleClock clock(0, 48000, 0);
  double expected = 0;
  int64_t now = 0;
  for (int i = 0; i < 100000; ++i) {
    const double ppm = (i % 41 - 20) * 10.0;
    const int64_t before = clock.frame_at(now);
    clock.set_drift(now, ppm);
    CHECK(clock.frame_at(now) == before);
    expected += 1234567 * 48000e-9 * (1 + ppm * 1e-6);
    now += 1234567;
  }
  CHECK_NEAR(static_cast<double>(clock.frame_at(now)), expected, 1.0);
}
