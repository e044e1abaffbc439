// Reads what src/backend/wasapi/trace.h has written: the first stream in it that recorded
// something. Files come from strangers, so that any text must be either read or refused.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace patchcord {

struct TracedBuffer {
  uint32_t frames = 0;
  uint32_t flags = 0;
  uint64_t position = 0;
  uint64_t stamp = 0;  // 100 ns
};

struct TracedWake {
  int64_t time = 0;  // ns since the start
  bool signalled = false;
  std::vector<TracedBuffer> buffers;
  uint32_t failure = 0;  // the result of a call that ended the stream
};

struct Trace {
  uint32_t sample_rate = 0;
  uint32_t channels = 0;
  uint64_t started = 0;  // 100 ns, as the stamps
  uint32_t longest = 0;  // frames of the longest buffer
  std::vector<TracedWake> wakes;
};

// Returns what is wrong with the text, and in which line; an empty string if nothing is.
std::string read_trace(const std::string& text, Trace* trace);

}  // namespace patchcord
