// Which frames a piece of a stream is, and when they were heard.
#pragma once

#include <cstdint>

namespace patchcord {

enum RecordFlag : uint32_t {
  kRecordSilence = 1,  // the timeline's own: nothing was playing, the device was not open yet
  // The device or the system lost these frames; both: there was no device.
  kRecordHole = 2,
  kRecordLost = 4,  // this consumer was too slow and lost them
  // Beside one of those: samples follow all the same, in which the sound before it falls to zero.
  kRecordFade = 8,
};

struct Record {
  uint64_t frame = 0;  // index of its first frame in the stream
  uint64_t frames = 0;
  double time = 0;     // ns, when the first frame was heard
  double rate = 0;     // the stream's true frames per second of the host's clock
  uint32_t flags = 0;  // of RecordFlag
  // Its producer has nothing to deliver while nothing plays: what is not there is not yet lost.
  bool pauses = false;

  bool has_samples() const noexcept { return flags == 0 || (flags & kRecordFade) != 0; }
};

}  // namespace patchcord
