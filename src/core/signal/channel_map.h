// Which input channel is heard on which output channel, and how loud.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "speakers.h"

namespace patchcord {

// The side of the listener on which a channel's speaker stands, in the usual layout of so many
// channels in WAVE order. Layouts of more than 8 channels have no sides: all their channels count
// as centre.
enum class Side : uint8_t { kLeft, kCenter, kRight };
Side side_of(uint32_t channels, uint32_t channel) noexcept;

// Any thread, one at a time; nothing but the constructors allocates.
class ChannelMap {
 public:
  // The usual routing. Where both counts have a usual layout (1 to 8 channels in WAVE order), a
  // speaker that exists on both sides keeps its sound, and the others fold as in ITU-R BS.775
  // (centre and surrounds 0.7071 to left and right, LFE dropped). Mono goes to both sides of stereo
  // at unity gain, stereo to mono is (L + R) / 2. Beyond 8 channels, channel n goes to channel n.
  // `mask` names the speakers of the inputs (WAVE's dwChannelMask, the lowest bit first); 0 means
  // the usual layout. Inputs without a speaker are dropped.
  ChannelMap(uint32_t in_channels, uint32_t out_channels, uint32_t mask = 0);

  // Output channel n carries input channel sources[n]; a source of -1, or one that does not exist,
  // is silence.
  ChannelMap(uint32_t in_channels, const std::vector<int32_t>& sources);

  // Output channel n is the sum of inputs times gains[n][input]; absent gains are 0.
  ChannelMap(uint32_t in_channels, const std::vector<std::vector<float>>& gains);

  uint32_t in_channels() const noexcept { return in_channels_; }
  uint32_t out_channels() const noexcept { return out_channels_; }
  bool identity() const noexcept { return identity_; }  // out is in, bit for bit
  float gain(uint32_t out_channel, uint32_t in_channel) const noexcept;

  // Lowers all gains by the same factor, so that no output exceeds the highest input.
  void attenuate();

  // Audio is interleaved; `in` and `out` do not overlap. The map never reads a channel that is not
  // routed, so a NaN in it does no harm.
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

// The map for channels whose speakers are known. Null if `mask` is 0: the usual map serves.
std::unique_ptr<ChannelMap> masked_map(uint32_t in_channels, uint32_t out_channels, uint32_t mask);

// The map for a device's channels. `speakers` is a mask, kUsualSpeakers, or 0 if the channels have
// no speakers: those are the microphones of an array, and each gets the same gain. The result is
// null if the usual map serves.
std::unique_ptr<ChannelMap> device_map(uint32_t in_channels, uint32_t out_channels,
                                       uint32_t speakers);

// The routing that an app asked for, before the number of input channels is known.
struct ChannelRouting {
  std::vector<int32_t> sources;           // for each output the input; either this
  std::vector<std::vector<float>> gains;  // or for each output the gain of each input

  bool empty() const noexcept { return sources.empty() && gains.empty(); }
  std::unique_ptr<ChannelMap> map(uint32_t in_channels, uint32_t out_channels) const;
};

}  // namespace patchcord
