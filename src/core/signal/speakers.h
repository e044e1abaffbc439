// The list of speaker positions and of usual layouts. A mask is WAVE's dwChannelMask. Channels are
// in the order of its bits, the lowest first.
#pragma once

#include <cstdint>

namespace patchcord {

// The bits of a mask.
enum SpeakerBit : uint8_t {
  kFrontLeftBit,
  kFrontRightBit,
  kFrontCenterBit,
  kLowFrequencyBit,
  kBackLeftBit,
  kBackRightBit,
  kFrontLeftOfCenterBit,
  kFrontRightOfCenterBit,
  kBackCenterBit,
  kSideLeftBit,
  kSideRightBit,
  kTopCenterBit,
  kTopFrontLeftBit,
  kTopFrontCenterBit,
  kTopFrontRightBit,
  kTopBackLeftBit,
  kTopBackCenterBit,
  kTopBackRightBit,
  kSpeakerBits,
};

constexpr uint32_t kMaxLayout = 8;  // channels

// The mask of the usual layout of `channels` channels. It is 0 beyond kMaxLayout: there is no usual
// layout. lib/format has the same list.
constexpr uint32_t usual_speakers(uint32_t channels) {
  constexpr uint32_t kMasks[kMaxLayout + 1] = {0, 0x4, 0x3, 0x7, 0x33, 0x37, 0x3F, 0x70F, 0x63F};
  return channels <= kMaxLayout ? kMasks[channels] : 0;
}

// The value of a device that has the usual layout, or does not report its layout.
constexpr uint32_t kUsualSpeakers = UINT32_MAX;

}  // namespace patchcord
