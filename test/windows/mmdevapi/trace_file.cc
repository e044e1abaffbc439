#include "trace_file.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <utility>

namespace patchcord {
namespace {

constexpr size_t kMostWakes = 10'000'000;
constexpr uint64_t kMostFrames = 1'000'000;            // of one buffer
constexpr uint64_t kLongest = 7 * 86'400'000'000'000;  // ns

// The words of one line, read one after the other.
class Line {
 public:
  explicit Line(const std::string& text) : text_(text) {}

  std::string word() {
    const size_t begin = std::min(text_.find_first_not_of(" \r", next_), text_.size());
    next_ = std::min(text_.find_first_of(" \r", begin), text_.size());
    return text_.substr(begin, next_ - begin);
  }
  // Decimal, or hexadecimal behind 0x. Remembers that there was none up to `most`.
  uint64_t number(uint64_t most) {
    const std::string digits = word();
    const bool hex = digits.compare(0, 2, "0x") == 0;
    const char* const begin = digits.c_str() + (hex ? 2 : 0);
    char* end = nullptr;
    errno = 0;
    const bool is_digit = hex ? std::isxdigit(static_cast<unsigned char>(*begin)) != 0
                              : std::isdigit(static_cast<unsigned char>(*begin)) != 0;
    const uint64_t value = is_digit ? std::strtoull(begin, &end, hex ? 16 : 10) : 0;
    if (!is_digit || errno != 0 || *end != '\0' || value > most) wrong_ = true;
    return wrong_ ? 0 : value;
  }
  bool is_wrong() const { return wrong_; }

 private:
  const std::string& text_;
  size_t next_ = 0;
  bool wrong_ = false;
};

constexpr uint64_t kAny = std::numeric_limits<uint64_t>::max();
constexpr uint64_t kAny32 = std::numeric_limits<uint32_t>::max();
constexpr uint64_t kAnyTime = std::numeric_limits<int64_t>::max();

bool is_failure(uint64_t result) { return (result & 0x80000000) != 0; }

class Reader {
 public:
  Reader(std::string stream, Trace* trace) : stream_(std::move(stream)), trace_(*trace) {}

  // False: the line is wrong. Words of later versions, and other streams, are passed over.
  bool read(const std::string& text) {
    Line line(text);
    if (line.word() != stream_) return true;
    const std::string word = line.word();
    if (word == "format") return read_format(line);
    if (word == "start") return read_start(line);
    if (word == "wake") return read_wake(line);
    if (word == "buffer") return read_buffer(line);
    if (word == "padding" || word == "lost") return read_result(line);
    return true;
  }

  const char* finish() const {
    if (trace_.sample_rate == 0) return "the stream has no format";
    return started_ ? nullptr : "the stream has no start";
  }

 private:
  bool read_format(Line& line) {
    trace_.sample_rate = static_cast<uint32_t>(line.number(384000));
    trace_.channels = static_cast<uint32_t>(line.number(32));
    return !line.is_wrong() && trace_.sample_rate >= 8000 && trace_.channels > 0;
  }
  bool read_start(Line& line) {
    start_ = line.number(kAnyTime);
    trace_.started = start_ / 100;
    started_ = true;
    trace_.wakes.clear();
    return !line.is_wrong();
  }
  bool read_wake(Line& line) {
    TracedWake wake;
    const uint64_t time = line.number(kAnyTime);
    wake.signalled = line.number(1) != 0;
    if (line.is_wrong() || !started_ || time < start_ || time - start_ > kLongest) return false;
    wake.time = static_cast<int64_t>(time - start_);
    const bool back = !trace_.wakes.empty() && wake.time < trace_.wakes.back().time;
    if (back || trace_.wakes.size() == kMostWakes) return false;
    trace_.wakes.push_back(std::move(wake));
    return true;
  }
  bool read_buffer(Line& line) {
    const uint64_t result = line.number(kAny32);
    TracedBuffer buffer;
    buffer.frames = static_cast<uint32_t>(line.number(kMostFrames));
    buffer.flags = static_cast<uint32_t>(line.number(kAny32));
    buffer.position = line.number(kAnyTime);
    buffer.stamp = line.number(kAny);
    if (line.is_wrong() || trace_.wakes.empty()) return false;
    if (result == 0 && buffer.frames > 0) {
      trace_.longest = std::max(trace_.longest, buffer.frames);
      trace_.wakes.back().buffers.push_back(buffer);
    }
    return true;
  }
  bool read_result(Line& line) {
    const uint64_t result = line.number(kAny32);
    if (line.is_wrong()) return false;
    if (!is_failure(result)) return true;
    if (trace_.wakes.empty()) return false;
    trace_.wakes.back().failure = static_cast<uint32_t>(result);
    return true;
  }

  const std::string stream_;
  Trace& trace_;
  uint64_t start_ = 0;  // ns
  bool started_ = false;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    lines.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return lines;
}

// Only a stream that records has buffers.
std::string find_stream(const std::vector<std::string>& lines) {
  for (const std::string& text : lines) {
    Line line(text);
    const std::string stream = line.word();
    if (line.word() == "buffer") return stream;
  }
  return {};
}

}  // namespace

std::string read_trace(const std::string& text, Trace* trace) {
  *trace = {};
  const std::vector<std::string> lines = lines_of(text);
  if (lines.empty() || lines[0].compare(0, 17, "patchcord-trace 1") != 0) {
    return "line 1: this is no trace of version 1";
  }
  const std::string stream = find_stream(lines);
  if (stream.empty()) return "no stream recorded anything";
  Reader reader(stream, trace);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (reader.read(lines[i])) continue;
    return "line " + std::to_string(i + 1) + ": a wrong number, or a line at a wrong place";
  }
  const char* const missing = reader.finish();
  return missing == nullptr ? std::string() : missing;
}

}  // namespace patchcord
