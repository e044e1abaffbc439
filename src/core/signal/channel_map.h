// Which input channel is heard on which output channel, and how loud.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace patchcord {

// On which side of a listener the speaker of a channel stands, in the usual layout of so many
// channels in WAVE order. More than 8 have none: all their channels are in the centre.
enum class Side : uint8_t { kLeft, kCenter, kRight };
Side side_of(uint32_t channels, uint32_t channel) noexcept;

// Any thread, one at a time; nothing but the constructors allocates.
class ChannelMap {
 public:
  // Speakers in WAVE order, where both counts have a usual layout (1 to 8 channels): a speaker that
  // exists on both sides keeps its sound; others fold as in ITU-R BS.775 (centre and surrounds
  // 0.7071 to left and right, LFE dropped). Mono to stereo is unity on both, stereo to mono (L + R)
  // / 2. Beyond 8 channels, channel n is channel n.
  // `mask` says at which speakers the inputs stand (WAVE's dwChannelMask, the lowest bit first); 0:
  // in the usual layout. Those without a speaker are not heard.
  ChannelMap(uint32_t in_channels, uint32_t out_channels, uint32_t mask = 0);

  // Output channel n carries input channel sources[n]; -1 (or one that does not exist): silence.
  ChannelMap(uint32_t in_channels, const std::vector<int32_t>& sources);

  // Output channel n is the sum of inputs times gains[n][input]; absent gains are 0.
  ChannelMap(uint32_t in_channels, const std::vector<std::vector<float>>& gains);

  uint32_t in_channels() const noexcept { return in_channels_; }
  uint32_t out_channels() const noexcept { return out_channels_; }
  bool identity() const noexcept { return identity_; }  // out is in, bit for bit
  float gain(uint32_t out_channel, uint32_t in_channel) const noexcept;

  // Interleaved; `in` and `out` do not overlap. A channel that is not routed is not read: its NaN
  // stays its own.
  void process(const float* in, float* out, size_t frames) const noexcept;

 private:
  struct Route {
    uint32_t out;
    uint32_t in;
    float gain;
  };

  void add(uint32_t out, uint32_t in, float gain);
  void settle();

  uint32_t in_channels_;
  uint32_t out_channels_;
  std::vector<Route> routes_;  // ordered by output, then input
  bool identity_ = false;
};

// The map for channels whose speakers are known; null where `mask` is 0: the usual one serves.
std::unique_ptr<ChannelMap> masked_map(uint32_t in_channels, uint32_t out_channels, uint32_t mask);

// The map for a device's channels, whose `speakers` are those of a mask, the usual ones, or none:
// those are microphones of an array, and each is heard alike. Null where nothing is to be done.
constexpr uint32_t kUsualSpeakers = UINT32_MAX;
std::unique_ptr<ChannelMap> device_map(uint32_t in_channels, uint32_t out_channels,
                                       uint32_t speakers);

// Where channels go, as it was asked for: whatever the number of channels that come in turns out to
// be.
struct ChannelRouting {
  std::vector<int32_t> sources;           // for each output the input; or
  std::vector<std::vector<float>> gains;  // for each output the gain of each input

  bool empty() const noexcept { return sources.empty() && gains.empty(); }
  std::unique_ptr<ChannelMap> map(uint32_t in_channels, uint32_t out_channels) const;
};

}  // namespace patchcord
