// Detects muted, dead and quiet devices, and confuses none of them.
#include "../../src/core/graph/life_signs.h"

#include "check.h"

using namespace patchcord;

namespace {

using Evidence = LifeSigns::Evidence;

constexpr float kSpeech = 0.2f;

EndpointState endpoint(float peak, bool muted = false, float volume = 1) {
  return {true, muted, volume, peak};
}

// A stream with a packet every 10 ms.
struct Stream {
  explicit Stream(bool may_idle) : signs(may_idle) {}

  // How often something changed in `ms`.
  int run(int ms, const EndpointState& state, bool packets, bool sounds) {
    int changes = 0;
    for (int i = 0; i < ms / 10; ++i) {
      now += 10 * kNsPerMs;
      if (packets) signs.packet(sounds);
      const LifeSigns::Change change = signs.look(state, now);
      changes += change.life + change.muted;
    }
    return changes;
  }
  int hear(int ms, const EndpointState& state) { return run(ms, state, true, true); }
  int zeros(int ms, const EndpointState& state) { return run(ms, state, true, false); }
  int nothing(int ms, const EndpointState& state) { return run(ms, state, false, false); }

  LifeSigns signs;
  int64_t now = kNsPerSecond;
};

}  // namespace

TEST("zeros while the meter moves are dead, within 2 s; sound is alive at the next look") {
  Stream mic(false);
  CHECK(mic.hear(5000, endpoint(kSpeech)) == 0);
  CHECK(mic.zeros(1000, endpoint(kSpeech)) == 0);
  CHECK(mic.zeros(1000, endpoint(kSpeech)) == 1);
  CHECK(mic.signs.dead_by() == Evidence::kZeros);
  CHECK(mic.zeros(60000, endpoint(kSpeech)) == 0);
  CHECK(mic.hear(260, endpoint(kSpeech)) == 1);
  CHECK(mic.signs.dead_by() == Evidence::kNone);
}

TEST("a quiet device is not dead, however long") {
  Stream mic(false);
  CHECK(mic.zeros(3600 * 1000, endpoint(0)) == 0);
  CHECK(mic.zeros(3600 * 1000, endpoint(0.001f)) == 0);  // -60 dBFS: noise behind a gate
  CHECK(mic.zeros(3600 * 1000, endpoint(-1)) == 0);      // no meter
  CHECK(mic.zeros(3600 * 1000, EndpointState()) == 0);   // the system reports nothing
}

TEST("pauses of the meter do not make a dead stream alive, sound does") {
  Stream mic(false);
  int changes = 0;
  for (int i = 0; i < 8; ++i) {
    changes += mic.zeros(250, endpoint(kSpeech));
    changes += mic.zeros(1000, endpoint(0));
  }
  CHECK(changes == 1 && mic.signs.dead_by() == Evidence::kZeros);

  Stream gated(false);
  for (int i = 0; i < 100; ++i) {
    CHECK(gated.zeros(1000, endpoint(kSpeech)) == 0);
    CHECK(gated.hear(250, endpoint(kSpeech)) == 0);
  }
}

TEST("a muted device is reported as muted, not as dead; nor is one with a volume of 0") {
  Stream mic(false);
  CHECK(mic.hear(1000, endpoint(kSpeech)) == 0 && !mic.signs.muted());
  CHECK(mic.zeros(250, endpoint(kSpeech, true)) == 1 && mic.signs.muted());
  CHECK(mic.zeros(60000, endpoint(kSpeech, true)) == 0);
  CHECK(mic.zeros(500, EndpointState()) == 0 && mic.signs.muted());
  CHECK(mic.hear(260, endpoint(kSpeech)) == 1 && !mic.signs.muted());
  CHECK(mic.zeros(60000, endpoint(kSpeech, false, 0)) == 0);
  CHECK(mic.zeros(2000, endpoint(kSpeech)) == 1);
}

TEST("a microphone without packets is dead after 2 s; packets, even of zeros, are alive") {
  Stream mic(false);
  CHECK(mic.hear(1000, EndpointState()) == 0);
  CHECK(mic.nothing(1700, EndpointState()) == 0);
  CHECK(mic.nothing(600, EndpointState()) == 1);
  CHECK(mic.signs.dead_by() == Evidence::kNoPackets);
  CHECK(mic.zeros(260, EndpointState()) == 1);
  CHECK(mic.signs.dead_by() == Evidence::kNone);
}

TEST("a loopback without packets is idle, unless its output's meter moves") {
  Stream loopback(true);
  CHECK(loopback.nothing(3600 * 1000, endpoint(0)) == 0);
  CHECK(loopback.nothing(2000, endpoint(kSpeech)) == 1);
  CHECK(loopback.signs.dead_by() == Evidence::kZeros);
}

TEST("hours without a check are no evidence") {
  Stream mic(false);
  CHECK(mic.hear(1000, endpoint(kSpeech)) == 0);
  mic.now += 8 * 3600 * kNsPerSecond;
  CHECK(mic.nothing(1000, endpoint(kSpeech)) == 0);
  CHECK(mic.hear(1000, endpoint(kSpeech)) == 0);
}

TEST("a device without packets stalls after a quarter of a second, and flows at the next look") {
  for (const bool may_idle : {false, true}) {
    Stream one(may_idle);
    const auto flows = [&](int ms, bool packets) {
      int changes = 0;
      for (int i = 0; i < ms / 10; ++i) {
        one.now += 10 * kNsPerMs;
        if (packets) one.signs.packet(true);
        changes += one.signs.look(endpoint(0), one.now).flow;
      }
      return changes;
    };
    CHECK(flows(5000, true) == 0);
    CHECK(!one.signs.stalled());
    CHECK(flows(240, false) == 0);
    CHECK(flows(260, false) == 1);
    CHECK(one.signs.stalled());
    CHECK(flows(60000, false) == 0);
    CHECK(flows(260, true) == 1);
    CHECK(!one.signs.stalled());
  }
}
