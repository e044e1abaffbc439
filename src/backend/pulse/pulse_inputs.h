// Streams that play on the server ("sink inputs"), and the processes that they belong to.
#pragma once

#include <string>
#include <vector>

#include "../process_tree.h"
#include "pulse_connection.h"
#include "pulse_devices.h"

namespace patchcord {
namespace pulse {

struct PulseInput {
  uint32_t index = kInvalidIndex;
  uint32_t client = kInvalidIndex;
  uint32_t sink = kInvalidIndex;
  bool corked = false;
  bool muted = false;
  float volume = 1;  // linear
  // As its client says; a client in a container says what it has there.
  uint32_t pid = 0;
  std::string binary;
  std::string application;
  float level = kUnknownLevel;  // peak, linear, where it was measured
};

// Under the lock. Streams of programs only: what a module plays has been played by one already.
Error query_inputs(Connection* connection, const Connection::Deadline& deadline,
                   std::vector<PulseInput>* inputs);

// The process that plays it. One that is not found here under its own name is in another container,
// or on another machine: it is told by its number there, and has neither start time nor relatives.
Ancestry process_of(const ProcessTable& table, const PulseInput& input);

// Programs with streams; those that run without one as well, if that is asked for.
std::vector<ProcessInfo> to_processes(const ProcessTable& table,
                                      const std::vector<PulseInput>& inputs,
                                      const std::vector<PulseDevice>& sinks, bool running);

}  // namespace pulse
}  // namespace patchcord
