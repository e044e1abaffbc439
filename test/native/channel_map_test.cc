#include "../../src/core/signal/channel_map.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "check.h"
#include "random_signal.h"

using namespace patchcord;

namespace {

constexpr float kHalf = 0.70710678f;

std::vector<float> mapped(const ChannelMap& map, const std::vector<float>& in) {
  std::vector<float> out(in.size() / map.in_channels() * map.out_channels(), 99);
  map.process(in.data(), out.data(), in.size() / map.in_channels());
  return out;
}

}  // namespace

TEST("mono to stereo is unity on both, stereo to mono is the mean") {
  CHECK(mapped(ChannelMap(1, 2), {0.5f, -1}) == (std::vector<float>{0.5f, 0.5f, -1, -1}));
  CHECK(mapped(ChannelMap(2, 1), {1, 0.5f, -1, 1}) == (std::vector<float>{0.75f, 0}));
}

TEST("5.1 and 7.1 fold to stereo as ITU-R BS.775 says") {
  const ChannelMap six(6, 2);
  const float left[] = {1, 0, kHalf, 0, kHalf, 0}, right[] = {0, 1, kHalf, 0, 0, kHalf};
  for (uint32_t in = 0; in < 6; ++in) {
    CHECK_NEAR(six.gain(0, in), left[in], 1e-7);
    CHECK_NEAR(six.gain(1, in), right[in], 1e-7);
  }
  const ChannelMap eight(8, 2);
  const float both[] = {1, 0, kHalf, 0, kHalf, 0, kHalf, 0};
  for (uint32_t in = 0; in < 8; ++in) CHECK_NEAR(eight.gain(0, in), both[in], 1e-7);
}

TEST("an attenuated map never exceeds full scale, and keeps the ratio of the channels") {
  for (uint32_t in = 1; in <= 10; ++in) {
    for (uint32_t out = 1; out <= 10; ++out) {
      const ChannelMap usual(in, out);
      ChannelMap map(in, out);
      map.attenuate();
      float most = 0, factor = 0;
      for (uint32_t o = 0; o < out; ++o) {
        float sum = 0;
        for (uint32_t i = 0; i < in; ++i) {
          sum += std::fabs(map.gain(o, i));
          if (usual.gain(o, i) == 0) continue;
          const float here = map.gain(o, i) / usual.gain(o, i);
          CHECK(factor == 0 || std::fabs(here - factor) < 1e-6f);
          factor = here;
        }
        most = std::max(most, sum);
      }
      CHECK(most <= 1 + 1e-6f && factor <= 1);
      CHECK(factor == 1 || most > 1 - 1e-6f);
    }
  }
}

TEST("7.1 to 5.1 joins the surrounds; 5.1 to 7.1 keeps every speaker in its place") {
  const ChannelMap down(8, 6);
  CHECK(down.gain(4, 4) == 1 && down.gain(4, 6) == 1 && down.gain(5, 7) == 1);
  CHECK(down.gain(3, 3) == 1 && down.gain(2, 2) == 1);
  const ChannelMap up(6, 8);
  for (uint32_t n = 0; n < 6; ++n) CHECK(up.gain(n, n) == 1);
  CHECK(up.gain(6, 4) == 0 && up.gain(7, 5) == 0);
}

TEST("folding to mono is folding to stereo, then the mean") {
  for (uint32_t in = 2; in <= 8; ++in) {
    const ChannelMap mono(in, 1), stereo(in, 2);
    for (uint32_t channel = 0; channel < in; ++channel) {
      CHECK_NEAR(mono.gain(0, channel), (stereo.gain(0, channel) + stereo.gain(1, channel)) / 2,
                 1e-7);
    }
  }
}

TEST("no default loses a channel, but for the LFE and what lies beyond 8") {
  for (uint32_t in = 1; in <= 8; ++in) {
    for (uint32_t out = 1; out <= 8; ++out) {
      const ChannelMap map(in, out);
      CHECK(map.identity() == (in == out));
      for (uint32_t channel = 0; channel < in; ++channel) {
        float heard = 0;
        for (uint32_t to = 0; to < out; ++to) heard += map.gain(to, channel);
        const bool low_frequency = in >= 6 && channel == 3;
        CHECK(heard > 0 || low_frequency);
      }
    }
  }
  const ChannelMap one(12, 1);
  for (uint32_t n = 0; n < 12; ++n) CHECK(one.gain(0, n) == 1.0f / 12);
  const ChannelMap wide(32, 12);
  for (uint32_t n = 0; n < 12; ++n) CHECK(wide.gain(n, n) == 1);
}

TEST("a list chooses, -1 is silence; a matrix sums; what is not there is silence") {
  CHECK(mapped(ChannelMap(2, std::vector<int32_t>{1, 0, -1, 5}), {1, 2}) ==
        (std::vector<float>{2, 1, 0, 0}));
  const ChannelMap matrix(3, std::vector<std::vector<float>>{{0.5f, 0, 2}, {}, {0, 1, 0, 9}});
  CHECK(mapped(matrix, {1, 10, 100}) == (std::vector<float>{200.5f, 0, 10}));
  CHECK(ChannelMap(2, std::vector<int32_t>{0, 1}).identity());
  CHECK(!ChannelMap(2, std::vector<int32_t>{1, 0}).identity());
}

TEST("a channel that is not routed cannot spoil the others") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(mapped(ChannelMap(2, std::vector<int32_t>{0}), {0.25f, nan}) == std::vector<float>{0.25f});
  CHECK(mapped(ChannelMap(6, 2), {0, 0, 0, nan, 0, 0}) == (std::vector<float>{0, 0}));
}

TEST("fuzz: any matrix of any size is the sum it says") {
  RandomSignal random(3);
  for (int round = 0; round < 300; ++round) {
    const uint32_t in = random.whole(1, 32), out = random.whole(1, 32);
    const size_t frames = random.whole(0, 40);
    std::vector<std::vector<float>> gains(out);
    for (auto& row : gains) {
      row = random.samples(random.whole(0, 34), 2);
      for (float& gain : row) gain = random.whole(0, 2) == 0 ? 0 : gain;
    }
    const ChannelMap map(in, gains);
    const std::vector<float> from = random.samples(frames * in);
    const std::vector<float> to = mapped(map, from);
    CHECK(to.size() == frames * out);
    for (size_t i = 0; i < to.size(); ++i) {
      const std::vector<float>& row = gains[i % out];
      double sum = 0;
      for (size_t k = 0; k < std::min<size_t>(row.size(), in); ++k) {
        sum += static_cast<double>(row[k]) * from[i / out * in + k];
      }
      CHECK_NEAR(to[i], sum, 1e-5);
    }
  }
}

TEST("a mask says where channels stand; those of any mask are folded without harm") {
  const ChannelMap map(4, 2, 0xf);  // 3.1: left, right, centre, LFE
  const float left[] = {1, 0, kHalf, 0}, right[] = {0, 1, kHalf, 0};
  for (uint32_t in = 0; in < 4; ++in) {
    CHECK_NEAR(map.gain(0, in), left[in], 1e-7);
    CHECK_NEAR(map.gain(1, in), right[in], 1e-7);
  }
  CHECK(ChannelMap(6, 6, 0x3f).identity());
  for (uint32_t mask = 1; mask != 0; mask <<= 1) {
    for (uint32_t in = 1; in <= 32; ++in) {
      for (uint32_t out = 1; out <= 32; ++out) {
        const ChannelMap any(in, out, mask | (mask - 1) << 1);
        for (uint32_t k = 0; k < in; ++k) CHECK(any.gain(0, k) <= 1);
      }
    }
  }
}

TEST("a device's channels fold by their speakers; those of an array are each heard alike") {
  CHECK(device_map(4, 4, 0) == nullptr);
  CHECK(device_map(2, 2, 0x3) == nullptr);
  const auto array = device_map(4, 2, 0);
  const auto back_centre = device_map(4, 2, 0x107);
  const auto sub = device_map(3, 2, 0xB);
  const auto usual = device_map(4, 2, kUsualSpeakers);
  const auto mono = device_map(1, 2, 0);
  for (const uint32_t out : {0u, 1u}) {
    for (uint32_t in = 0; in < 4; ++in) CHECK_NEAR(array->gain(out, in), 0.25, 1e-7);
    CHECK_NEAR(back_centre->gain(out, 3), 0.5, 1e-7);
    CHECK(sub->gain(out, 2) == 0);
    CHECK(mono->gain(out, 0) == 1);
  }
  CHECK(usual->gain(0, 3) == 0);
  CHECK_NEAR(usual->gain(1, 3), kHalf, 1e-7);
}
