#include "channel_map.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "speakers.h"

namespace patchcord {
namespace {

enum Speaker : uint8_t {
  kFrontLeft,
  kFrontRight,
  kFrontCenter,
  kLowFrequency,
  kBackLeft,
  kBackRight,
  kBackCenter,
  kSideLeft,
  kSideRight,
};

constexpr float kMinus3Db = 0.70710678f;

// The speaker of each bit of a mask, or the nearest one that a layout may have.
constexpr std::array<Speaker, kSpeakerBits> kSpeakerOfBit = {
    kFrontLeft,   kFrontRight, kFrontCenter, kLowFrequency, kBackLeft,
    kBackRight,   kFrontLeft,  kFrontRight,  // of centre
    kBackCenter,  kSideLeft,   kSideRight,   kFrontCenter,  kFrontLeft,
    kFrontCenter, kFrontRight, kBackLeft,    kBackCenter,   kBackRight,  // above
};

// The speakers of channels. `count` is smaller than the number of channels if some have no speaker.
struct Layout {
  std::array<Speaker, kSpeakerBits> speakers{};
  uint32_t count = 0;
};

constexpr Layout layout_of(uint32_t channels, uint32_t mask) {
  Layout layout;
  for (uint32_t bit = 0; bit < kSpeakerBits && layout.count < channels; ++bit) {
    if ((mask >> bit & 1) != 0) layout.speakers[layout.count++] = kSpeakerOfBit[bit];
  }
  return layout;
}

constexpr Layout usual_layout(uint32_t channels) {
  return layout_of(channels, usual_speakers(channels));
}

constexpr int kNone = -1;

int find(uint32_t count, Speaker speaker) {
  const Layout layout = usual_layout(count);
  for (uint32_t i = 0; i < layout.count; ++i) {
    if (layout.speakers[i] == speaker) return static_cast<int>(i);
  }
  return kNone;
}

struct Pair {
  int left;
  int right;
  bool found() const { return left != kNone; }
};

Pair find(uint32_t count, Speaker left, Speaker right) {
  return {find(count, left), find(count, right)};
}

// The gains of one speaker's sound on the outputs, for at least two outputs.
std::array<float, kMaxLayout> fold(Speaker speaker, uint32_t outputs) {
  std::array<float, kMaxLayout> gains{};
  const auto put = [&gains](int output, float gain) { gains[static_cast<size_t>(output)] += gain; };

  if (const int same = find(outputs, speaker); same != kNone) {
    put(same, 1);
    return gains;
  }
  const Pair front = find(outputs, kFrontLeft, kFrontRight);
  const Pair back = find(outputs, kBackLeft, kBackRight);
  const Pair side = find(outputs, kSideLeft, kSideRight);
  const Pair surround = back.found() ? back : side;
  switch (speaker) {
    case kFrontCenter:
      put(front.left, kMinus3Db);
      put(front.right, kMinus3Db);
      break;
    case kBackCenter: {
      const Pair& pair = surround.found() ? surround : front;
      const float gain = surround.found() ? kMinus3Db : 0.5f;
      put(pair.left, gain);
      put(pair.right, gain);
      break;
    }
    case kBackLeft:
    case kSideLeft:
      put(surround.found() ? surround.left : front.left, surround.found() ? 1 : kMinus3Db);
      break;
    case kBackRight:
    case kSideRight:
      put(surround.found() ? surround.right : front.right, surround.found() ? 1 : kMinus3Db);
      break;
    // ITU-R BS.775 drops it: the other channels also have that sound, less deep
    case kLowFrequency:
    case kFrontLeft:  // in every layout of two or more
    case kFrontRight:
      break;
  }
  return gains;
}

}  // namespace

Side side_of(uint32_t channels, uint32_t channel) noexcept {
  if (channels > kMaxLayout) return Side::kCenter;
  switch (usual_layout(channels).speakers[channel]) {
    case kFrontLeft:
    case kBackLeft:
    case kSideLeft:
      return Side::kLeft;
    case kFrontRight:
    case kBackRight:
    case kSideRight:
      return Side::kRight;
    case kFrontCenter:
    case kLowFrequency:
    case kBackCenter:
      break;
  }
  return Side::kCenter;
}

ChannelMap::ChannelMap(uint32_t in_channels, uint32_t out_channels, uint32_t mask)
    : in_channels_(in_channels), out_channels_(out_channels) {
  const Layout layout = layout_of(in_channels, mask != 0 ? mask : usual_speakers(in_channels));
  const uint32_t placed = layout.count;
  const bool layouts = placed > 0 && out_channels <= kMaxLayout;
  if (!layouts && out_channels == 1) {
    for (uint32_t in = 0; in < in_channels; ++in)
      add(0, in, 1.0f / static_cast<float>(in_channels));
  } else if ((in_channels == out_channels && mask == 0) || !layouts) {
    for (uint32_t n = 0; n < std::min(in_channels, out_channels); ++n) add(n, n, 1);
  } else if (in_channels == 1 && find(out_channels, kFrontCenter) == kNone) {
    // A mono stream is not a centre channel to be folded: both outputs get it at unity gain.
    add(0, 0, 1);
    add(1, 0, 1);
  } else if (out_channels == 1) {
    // The channels are first folded to stereo, then to (L + R) / 2.
    for (uint32_t in = 0; in < placed; ++in) {
      const auto gains = fold(layout.speakers[in], 2);
      add(0, in, (gains[0] + gains[1]) / 2);
    }
  } else {
    for (uint32_t in = 0; in < placed; ++in) {
      const auto gains = fold(layout.speakers[in], out_channels);
      for (uint32_t out = 0; out < out_channels; ++out) add(out, in, gains[out]);
    }
  }
  settle();
}

ChannelMap::ChannelMap(uint32_t in_channels, const std::vector<int32_t>& sources)
    : in_channels_(in_channels), out_channels_(static_cast<uint32_t>(sources.size())) {
  for (uint32_t out = 0; out < out_channels_; ++out) {
    const int32_t source = sources[out];
    if (source >= 0 && static_cast<uint32_t>(source) < in_channels) {
      add(out, static_cast<uint32_t>(source), 1);
    }
  }
  settle();
}

ChannelMap::ChannelMap(uint32_t in_channels, const std::vector<std::vector<float>>& gains)
    : in_channels_(in_channels), out_channels_(static_cast<uint32_t>(gains.size())) {
  for (uint32_t out = 0; out < out_channels_; ++out) {
    const size_t given = std::min<size_t>(gains[out].size(), in_channels);
    for (uint32_t in = 0; in < given; ++in) add(out, in, gains[out][in]);
  }
  settle();
}

void ChannelMap::add(uint32_t out, uint32_t in, float gain) {
  if (gain != 0) routes_.push_back({out, in, gain});
}

void ChannelMap::settle() {
  std::sort(routes_.begin(), routes_.end(), [](const Route& a, const Route& b) {
    return a.out != b.out ? a.out < b.out : a.in < b.in;
  });
  identity_ = in_channels_ == out_channels_ && routes_.size() == out_channels_ &&
              std::all_of(routes_.begin(), routes_.end(),
                          [](const Route& r) { return r.out == r.in && r.gain == 1; });
}

void ChannelMap::attenuate() {
  float most = 1;
  for (uint32_t out = 0; out < out_channels_; ++out) {
    float sum = 0;
    for (const Route& route : routes_) sum += route.out == out ? std::fabs(route.gain) : 0;
    most = std::max(most, sum);
  }
  for (Route& route : routes_) route.gain /= most;
}

float ChannelMap::gain(uint32_t out_channel, uint32_t in_channel) const noexcept {
  for (const Route& route : routes_) {
    if (route.out == out_channel && route.in == in_channel) return route.gain;
  }
  return 0;
}

void ChannelMap::process(const float* in, float* out, size_t frames) const noexcept {
  const size_t samples = frames * out_channels_;
  if (identity_) {
    std::copy_n(in, samples, out);
    return;
  }
  std::fill_n(out, samples, 0.0f);
  for (const Route& route : routes_) {
    const float* from = in + route.in;
    float* to = out + route.out;
    for (size_t i = 0; i < frames; ++i) {
      to[i * out_channels_] += route.gain * from[i * in_channels_];
    }
  }
}

std::unique_ptr<ChannelMap> masked_map(uint32_t in_channels, uint32_t out_channels, uint32_t mask) {
  return mask == 0 ? nullptr : std::make_unique<ChannelMap>(in_channels, out_channels, mask);
}

std::unique_ptr<ChannelMap> device_map(uint32_t in_channels, uint32_t out_channels,
                                       uint32_t speakers) {
  if (in_channels == out_channels) return nullptr;
  if (speakers == kUsualSpeakers || in_channels <= 2) {
    return std::make_unique<ChannelMap>(in_channels, out_channels);
  }
  if (speakers != 0) return masked_map(in_channels, out_channels, speakers);
  const std::vector<float> each(in_channels, 1.0f / static_cast<float>(in_channels));
  return std::make_unique<ChannelMap>(in_channels, std::vector(out_channels, each));
}

std::unique_ptr<ChannelMap> ChannelRouting::map(uint32_t in_channels, uint32_t out_channels) const {
  if (!gains.empty()) return std::make_unique<ChannelMap>(in_channels, gains);
  if (!sources.empty()) return std::make_unique<ChannelMap>(in_channels, sources);
  return std::make_unique<ChannelMap>(in_channels, out_channels);
}

}  // namespace patchcord
