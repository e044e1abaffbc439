#include "pulse_moves.h"

#include <algorithm>

namespace patchcord {
namespace pulse {

Error move_input(Connection* connection, const ProgramStream& input, const std::string& output_id,
                 const Connection::Deadline& deadline) {
  Connection::Success reply{connection};
  return connection->await(
      connection->libpulse().pa_context_move_sink_input_by_name(
          connection->context(), input.index, output_id.c_str(), Connection::on_success, &reply),
      "pa_context_move_sink_input_by_name", deadline);
}

Error move_processes(Connection* connection, const ProcessTable& table,
                     const std::vector<ProcessId>& processes, const std::string& output_id,
                     std::vector<ProcessId>* moved) {
  Connection::Lock lock(*connection);
  const Connection::Deadline deadline(connection, kCallLimit);
  PulseDevice output;
  std::vector<ProgramStream> inputs;
  Error error = query_device(connection, Flow::kOutput, output_id, deadline, &output);
  if (!error) error = query_streams(connection, Flow::kOutput, deadline, &inputs);
  for (const ProgramStream& input : inputs) {
    if (error) return error;
    const ProcessId process = process_of(table, input).front().id;
    if (std::find(processes.begin(), processes.end(), process) == processes.end()) continue;
    if (input.device != output.index) error = move_input(connection, input, output_id, deadline);
    moved->push_back(process);
  }
  return error;
}

Error query_players(Connection* connection, const ProcessTable& table, const std::string& output_id,
                    Whose whose, std::vector<ProgramStream>* players) {
  std::vector<ProgramStream> inputs;
  PulseDevice output;
  {
    Connection::Lock lock(*connection);
    const Connection::Deadline deadline(connection, kShortCallLimit);
    Error error = query_device(connection, Flow::kOutput, output_id, deadline, &output);
    if (!error) error = query_streams(connection, Flow::kOutput, deadline, &inputs);
    if (error) return error;
  }
  for (const ProgramStream& input : inputs) {
    if (input.device != output.index) continue;
    const Ancestry process = process_of(table, input);
    const auto is_own = [&](const ProcessRecord& one) { return one.id.pid == table.own_pid(); };
    const bool wanted = whose == Whose::kOwn ? is_own(process.front())
                                             : std::none_of(process.begin(), process.end(), is_own);
    if (wanted) players->push_back(input);
  }
  return Error::none();
}

}  // namespace pulse
}  // namespace patchcord
