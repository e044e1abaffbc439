#include "../../src/core/signal/gain.h"

#include <algorithm>
#include <atomic>
#include <cfloat>
#include <limits>
#include <thread>

#include "../../src/core/signal/format.h"
#include "check.h"
#include "random_signal.h"

using namespace patchcord;

namespace {

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace

TEST("unity passes every finite sample bit for bit, before and after a ramp") {
  std::vector<float> in = RandomSignal(1).samples(2 * 1000, 4);
  in[10] = -0.0f;
  in[11] = FLT_TRUE_MIN;
  in[12] = FLT_MAX;
  std::vector<float> out = in;
  GainRamp ramp(2);
  ramp.process(out.data(), 1000);
  CHECK(same_bits(in, out));
  CHECK(ramp.latency_frames() == 0);

  ramp.set(0.5f, 100);
  ramp.process(out.data(), 1000);
  CHECK(out[2 * 500] == in[2 * 500] * 0.5f);
  ramp.set(1, 100);
  out = in;
  ramp.process(out.data(), 1000);
  CHECK(!same_bits(in, out));
  CHECK(std::equal(in.begin() + 2 * 99, in.end(), out.begin() + 2 * 99));
}

TEST("a ramp never steps: it rises steadily, has no corner, and ends on the frame asked for") {
  constexpr size_t kRamp = 480;
  std::vector<float> out(1000, 1.0f);
  GainRamp ramp(1, 0);
  ramp.set(1, kRamp);
  ramp.process(out.data(), out.size());
  CHECK(out[0] > 0 && out[kRamp - 2] < 1 && out[kRamp - 1] == 1);
  for (size_t i = 1; i < out.size(); ++i) {
    CHECK(out[i] >= out[i - 1]);
    // The steepest place of a smoothstep is 1.5 times as steep as a line.
    CHECK(out[i] - out[i - 1] <= 1.51f / kRamp);
  }
  for (size_t i = 2; i < out.size(); ++i) {
    CHECK(std::fabs(out[i] - 2 * out[i - 1] + out[i - 2]) <= 6.1f / (kRamp * kRamp));
  }
}

TEST("a new ramp in the middle of another one continues from its value") {
  std::vector<float> out(300, 1.0f);
  GainRamp ramp(1, 0);
  ramp.set(1, 200);
  ramp.process(out.data(), 100);
  CHECK(ramp.gain() == out[99]);
  ramp.set(-1, 200);
  ramp.process(out.data() + 100, 200);
  CHECK(std::fabs(out[100] - out[99]) < 0.01f);
  CHECK(out[299] == -1 && ramp.gain() == -1);
  ramp.set(0.25f, 0);
  out.assign(300, 1.0f);
  ramp.process(out.data(), 1);
  CHECK(out[0] == 0.25f);
}

TEST("no gain lets NaN or infinity through, nor makes one") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float gain : {1.0f, 0.0f, 0.5f, 100.0f, nan, infinity}) {
    GainRamp ramp(1);
    ramp.set(gain, 3);
    std::vector<float> out = {nan, infinity, nan, -infinity, nan, 0.25f, FLT_MAX, -FLT_MAX};
    ramp.process(out.data(), out.size());
    CHECK(std::all_of(out.begin(), out.begin() + 5, [](float sample) { return sample == 0; }));
    CHECK(out[5] == (std::isfinite(gain) ? gain : 0) * 0.25f);
    CHECK(std::isfinite(out[6]) && std::isfinite(out[7]));
  }
}

TEST("samples far below any sound become 0, except at unity") {
  std::vector<float> in = {FLT_TRUE_MIN, -FLT_MIN, 1e-31f, 1e-29f};
  GainRamp half(1, 0.5f), unity(1);
  std::vector<float> out = in;
  unity.process(out.data(), out.size());
  CHECK(same_bits(in, out));
  half.process(out.data(), out.size());
  CHECK(out[0] == 0 && out[1] == 0 && out[2] == 0 && out[3] == 1e-29f * 0.5f);
}

TEST("fuzz: the same however it is cut, whatever comes and whenever the gain is set") {
  RandomSignal random(2);
  for (int round = 0; round < 100; ++round) {
    const uint32_t channels = random.whole(1, kMaxChannels);
    GainRamp whole(channels), cut(channels);
    for (int part = 0; part < 4; ++part) {
      const size_t frames = random.whole(1, 500);
      const float gain = random.whole(0, 3) == 0 ? 1 : static_cast<float>(random.real(-3, 3));
      const uint32_t ramp_frames = random.whole(0, 800);
      std::vector<float> in = random.samples(frames * channels);
      for (float& sample : in) {
        const auto bits = static_cast<uint32_t>(random.bits() >> 32);
        if (random.whole(0, 9) == 0) std::memcpy(&sample, &bits, sizeof bits);
      }
      std::vector<float> a = in, b = in;
      whole.set(gain, ramp_frames);
      cut.set(gain, ramp_frames);
      whole.process(a.data(), frames);
      for (size_t done = 0; done < frames;) {
        const size_t count = std::min<size_t>(frames - done, random.whole(0, 60));
        cut.process(b.data() + done * channels, count);
        done += count;
      }
      CHECK(same_bits(a, b));
      CHECK(std::all_of(a.begin(), a.end(), [](float sample) { return std::isfinite(sample); }));
    }
  }
}

// For ThreadSanitizer. Each gain has its own ramp: another gain's would end on another frame.
TEST("gains set by another thread arrive whole") {
  const auto ramp_of = [](float gain) { return static_cast<uint32_t>(gain * 8); };
  GainRamp ramp(1);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (uint32_t i = 0; !done.load(); ++i) {
      const float gain = static_cast<float>(1 + i % 7);
      ramp.set(gain, ramp_of(gain));
    }
  });
  std::vector<float> out(64);
  for (int i = 0; i < 5000; ++i) {
    const float before = ramp.gain();
    std::fill(out.begin(), out.end(), 1.0f);
    ramp.process(out.data(), out.size());
    const float gain = ramp.gain();
    if (gain == before) continue;
    const size_t end = ramp_of(gain) - 1;
    CHECK(out[end] == gain && out[end - 1] != gain && out[63] == gain);
  }
  done = true;
  writer.join();
}
