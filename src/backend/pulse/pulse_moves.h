// Streams of other programs, moved from one output to another.
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

// What programs play to `output_id`, but for this process and those that it started.
Error query_strangers(Connection* connection, const ProcessTable& table,
                      const std::string& output_id, std::vector<PulseInput>* strangers);

// Under the lock.
Error move_input(Connection* connection, const PulseInput& input, const std::string& output_id,
                 const Connection::Deadline& deadline);

}  // namespace pulse
}  // namespace patchcord
