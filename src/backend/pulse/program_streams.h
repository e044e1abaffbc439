// Streams of programs on the server: those that play ("sink inputs") and those that record ("source
// outputs"), and the processes that they belong to.
#pragma once

#include <string>
#include <vector>

#include "../process_tree.h"
#include "pulse_connection.h"
#include "pulse_devices.h"

namespace patchcord {
namespace pulse {

struct ProgramStream {
  uint32_t index = kInvalidIndex;
  uint32_t client = kInvalidIndex;
  uint32_t device = kInvalidIndex;  // a sink, or a source
  bool corked = false;
  bool muted = false;
  float volume = 1;  // linear
  // The number reported by its client; a client in a container reports its number there.
  uint32_t pid = 0;
  std::string machine;  // its host name; empty: not reported
  std::string binary;
  std::string application;
  float level = kUnknownLevel;  // peak, linear, where it was measured
};

// Under the lock. Only streams of programs: the sound of a module's stream comes from another
// stream.
// kInput: those that record, except level meters, which every volume control opens.
Error query_streams(Connection* connection, Flow flow, const Connection::Deadline& deadline,
                    std::vector<ProgramStream>* streams);

// Removes the streams that record no microphone, but what an output plays.
void keep_microphones(const std::vector<PulseDevice>& sources, std::vector<ProgramStream>* streams);

// The process that owns it. If no process here has that number and name, it is in another
// container or on another machine. The result has no relatives then, and the server's number of its
// client instead of a start time. Its pid is the number there, or 0 if that is another process
// here.
Ancestry process_of(const ProcessTable& table, const ProgramStream& stream);

// Programs with streams; if requested, also running programs without one.
std::vector<ProcessInfo> to_processes(const ProcessTable& table,
                                      const std::vector<ProgramStream>& streams,
                                      const std::vector<PulseDevice>& devices, bool running);

}  // namespace pulse
}  // namespace patchcord
