// Which frames a piece of a stream contains, and when they were recorded.
#pragma once

#include <cstdint>

namespace patchcord {

enum RecordFlag : uint32_t {
  // the timeline's own silence: nothing was playing, the device was not open yet
  kRecordSilence = 1,
  // The device or the system lost these frames. With kRecordSilence: there was no device.
  kRecordHole = 2,
  kRecordLost = 4,  // this consumer was too slow and lost them
  // Together with one of the above: the record has samples, in which the sound before it fades to
  // zero.
  kRecordFade = 8,
};

struct Record {
  uint64_t frame = 0;  // index of its first frame in the stream
  uint64_t frames = 0;
  double time = 0;     // ns, when the first frame was recorded
  double rate = 0;     // the stream's true frames per second of the host's clock
  uint32_t flags = 0;  // a combination of RecordFlag
  // The producer delivers nothing while nothing plays, so missing frames are not lost yet.
  bool pauses = false;

  bool has_samples() const noexcept { return flags == 0 || (flags & kRecordFade) != 0; }
};

}  // namespace patchcord
