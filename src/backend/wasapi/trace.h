// Writes what Windows answers to each stream to the file that the environment variable
// PATCHCORD_TRACE names: no audio, and no names unless PATCHCORD_TRACE_NAMES is set. The simulated
// engine of the tests replays such a file as a device. docs/windows.md describes the lines.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "../backend.h"
#include "com_support.h"

namespace patchcord {

// One answer, as the audio thread got it.
struct TraceRecord {
  enum class Kind : uint8_t { kWake, kStart, kBuffer, kPadding, kPosition, kWritten, kLost };
  Kind kind = Kind::kWake;
  bool signalled = false;  // a wake by the device's event
  HRESULT result = S_OK;
  UINT32 frames = 0;
  DWORD flags = 0;
  UINT64 position = 0;
  UINT64 stamp = 0;
  int64_t time = 0;  // ns of the clock; set by note()

  static TraceRecord wake(bool signalled) { return {Kind::kWake, signalled}; }
  static TraceRecord padding(HRESULT result, UINT32 frames) {
    return {Kind::kPadding, false, result, frames};
  }
};

class TraceFile;

// The lines of one stream. Made and destroyed on its thread while that is not streaming.
class StreamTrace {
 public:
  // nullptr if the variable is not set, or its file cannot be written.
  static std::unique_ptr<StreamTrace> begin();
  ~StreamTrace();
  StreamTrace(const StreamTrace&) = delete;
  StreamTrace& operator=(const StreamTrace&) = delete;

  // Audio thread: neither locks nor allocates. A record that finds the ring full is counted.
  void note(TraceRecord record) noexcept;
  // Not while the stream runs.
  void say(const std::string& line);
  // The driver's formats, periods and properties.
  void describe(IMMDevice* device);
  void describe(const CallResult& opened, const StreamInfo& info);

 private:
  friend class TraceFile;

  static constexpr uint32_t kRecords = 4096;  // several seconds

  explicit StreamTrace(std::shared_ptr<TraceFile> file);
  std::string take();  // the lines of all records; one thread at a time

  const std::shared_ptr<TraceFile> file_;
  const uint32_t number_;
  std::array<TraceRecord, kRecords> ring_;
  std::atomic<uint32_t> written_{0};
  std::atomic<uint32_t> taken_{0};
  std::atomic<uint32_t> dropped_{0};
};

}  // namespace patchcord
