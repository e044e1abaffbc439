// Who plays to an output, and moving what others play from one output to another.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pulse_inputs.h"

namespace patchcord {
namespace pulse {

// Control thread, all of them.

// To `output_id` what these processes play elsewhere. `moved`: those that have a stream.
Error move_processes(Connection* connection, const std::vector<uint32_t>& pids,
                     const std::string& output_id, std::vector<uint32_t>* moved);

// What is played to `output_id` by this process, or by programs that it did not start.
enum class Whose : uint8_t { kOwn, kStrangers };
Error query_players(Connection* connection, const ProcessTable& table, const std::string& output_id,
                    Whose whose, std::vector<PulseInput>* players);

// Under the lock.
Error move_input(Connection* connection, const PulseInput& input, const std::string& output_id,
                 const Connection::Deadline& deadline);

}  // namespace pulse
}  // namespace patchcord
