// Lists the programs that play to an output, and moves streams from one output to another.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "program_streams.h"

namespace patchcord {
namespace pulse {

// All of these: control thread.

// Moves the sound that these processes play elsewhere to `output_id`. `moved`: those that have a
// stream.
Error move_processes(Connection* connection, const ProcessTable& table,
                     const std::vector<ProcessId>& processes, const std::string& output_id,
                     std::vector<ProcessId>* moved);

// The owner of a stream: this process, or programs that it did not start.
enum class Whose : uint8_t { kOwn, kStrangers };
Error query_players(Connection* connection, const ProcessTable& table, const std::string& output_id,
                    Whose whose, std::vector<ProgramStream>* players);

// Under the lock.
Error move_input(Connection* connection, const ProgramStream& input, const std::string& output_id,
                 const Connection::Deadline& deadline);

}  // namespace pulse
}  // namespace patchcord
