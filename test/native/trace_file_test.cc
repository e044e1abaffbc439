// The reader of the traces that the simulated Windows engine replays. They come from strangers.
#include "../windows/mmdevapi/trace_file.h"

#include <cstdio>
#include <random>
#include <string>

#include "../windows/mmdevapi/trace_file.cc"
#include "check.h"

using namespace patchcord;

namespace {

const std::string kTrace =
    "patchcord-trace 1\nwindows 10.0.19045\n1 stream input opening the device\n"
    "1 mix 0x00000000 48000 2 32 32 3 0x3\n1 format 48000 2\n2 stream output opening the device\n"
    "2 format 44100 1\n1 start 5000000000 0x00000000\n2 start 5000000100 0x00000000\n"
    "2 wake 5000100000 1\n2 padding 0x00000000 480\n2 written 0x00000000 480\n"
    "1 wake 5010000000 1\n1 buffer 0x00000000 480 0x1 0 50000000\n1 buffer 0x08890001 0 0x0 0 0\n"
    "1 wake 5020000000 0\n1 padding 0x88890004 0\n1 lost 0x88890004\n";

// Whether a replay can rely on it.
bool is_sound(const Trace& trace) {
  int64_t time = 0;
  for (const TracedWake& wake : trace.wakes) {
    if (wake.time < time) return false;
    time = wake.time;
    for (const TracedBuffer& buffer : wake.buffers) {
      if (buffer.frames == 0 || buffer.frames > trace.longest) return false;
    }
  }
  const bool format = trace.sample_rate >= 8000 && trace.sample_rate <= 384000 &&
                      trace.channels > 0 && trace.channels <= 32;
  return format && trace.longest <= 1'000'000;
}

TEST("the first stream that recorded is read, with what it got and when") {
  Trace trace;
  CHECK(read_trace(kTrace, &trace).empty());
  CHECK(trace.sample_rate == 48000 && trace.channels == 2 && trace.longest == 480);
  CHECK(trace.started == 50'000'000 && trace.wakes.size() == 2);
  CHECK(trace.wakes[0].time == 10'000'000 && trace.wakes[0].signalled);
  CHECK(trace.wakes[0].buffers.size() == 1 && trace.wakes[0].buffers[0].flags == 1);
  CHECK(trace.wakes[0].buffers[0].stamp == 50'000'000 && trace.wakes[0].failure == 0);
  CHECK(!trace.wakes[1].signalled && trace.wakes[1].failure == 0x88890004);
  CHECK(is_sound(trace));
}

TEST("a text that is no trace is refused, and the line is named") {
  Trace trace;
  CHECK(!read_trace("", &trace).empty());
  CHECK(!read_trace("patchcord-trace 2\n", &trace).empty());
  CHECK(!read_trace("patchcord-trace 1\n1 start 5 0x0\n", &trace).empty());
  const std::string wrong = kTrace + "1 wake 4000000000 1\n";  // before the one above
  CHECK(read_trace(wrong, &trace).compare(0, 8, "line 19:") == 0);
  CHECK(!read_trace(kTrace + "1 buffer 0x0 99999999 0x0 0 0\n", &trace).empty());
  CHECK(!read_trace(kTrace + "1 format 0 2\n", &trace).empty());
}

TEST("any text is either read or refused") {
  std::mt19937 random(3);
  const auto below = [&random](size_t count) { return static_cast<size_t>(random() % count); };
  const std::string letters = "0123456789abcdefx-+ \n\r\tZ\xff";
  int refused = 0;
  int read = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string text = kTrace;
    for (size_t changes = 1 + below(4); changes > 0; --changes) {
      const size_t at = below(text.size() + 1);
      const size_t length = below(12);
      switch (below(4)) {
        case 0:
          text.insert(at, 1, letters[below(letters.size())]);
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.insert(at, text.substr(below(text.size()), length * length));
          break;
        default:
          text.resize(at);
      }
      if (text.empty()) text = "\n";
    }
    Trace trace;
    const bool whole = read_trace(text, &trace).empty();
    ++(whole ? read : refused);
    if (whole) CHECK(is_sound(trace));
  }
  CHECK(read > 1000 && refused > 1000);
}

}  // namespace
