#include "pulse_inputs.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <map>
#include <utility>

namespace patchcord {
namespace pulse {
namespace {

std::string text(const char* words) { return words ? words : ""; }

// The server's volume is the cube root of the gain.
float linear(const pa_cvolume& volume) {
  uint32_t loudest = 0;
  for (uint8_t c = 0; c < volume.channels; ++c) loudest = std::max(loudest, volume.values[c]);
  const double part = static_cast<double>(loudest) / kNormalVolume;
  return static_cast<float>(part * part * part);
}

struct Identity {
  uint32_t pid = 0;
  std::string machine;
  std::string binary;
  std::string application;
};

// PulseAudio gives a stream its client's properties. PipeWire gives a stream that uses PipeWire's
// protocol only the properties that the program set on it; the rest is on the client.
Identity identity_of(const LibPulse& library, const pa_proplist* properties) {
  const auto property = [&](const char* key) {
    return text(library.pa_proplist_gets(properties, key));
  };
  Identity identity;
  identity.pid =
      static_cast<uint32_t>(std::strtoul(property("application.process.id").c_str(), nullptr, 10));
  identity.machine = property("application.process.host");
  identity.binary = property("application.process.binary");
  identity.application = property("application.name");
  return identity;
}

std::string own_machine() {
  char name[HOST_NAME_MAX + 1] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

// Whether the process that has an input's number here is the one that plays the input. A program in
// a container reports its number there, which is another process here.
bool plays(const ProcessTable& table, const ProcessRecord& process, const PulseInput& input) {
  if (!input.machine.empty() && input.machine != own_machine()) return false;
  if (input.binary.empty() || process.name == input.binary) return true;
  // Without a path the name is the kernel's, which has at most 15 bytes.
  constexpr size_t kKernelsName = 15;
  if (process.path.empty() && process.name == input.binary.substr(0, kKernelsName)) return true;
  // A program may be started through a link to its file.
  return table.called(process.id.pid) == input.binary;
}

struct Reply {
  Connection* connection;
  std::vector<PulseInput>* inputs;
  std::map<uint32_t, Identity> clients;
};

void on_input(pa_context*, const pa_sink_input_info* info, int end, void* self) {
  auto* reply = static_cast<Reply*>(self);
  if (end != 0 || !info) return reply->connection->wake();
  const Identity identity = identity_of(reply->connection->libpulse(), info->proplist);
  PulseInput input;
  input.index = info->index;
  input.client = info->client;
  input.sink = info->sink;
  input.corked = info->corked != 0;
  input.muted = info->mute != 0;
  if (info->has_volume) input.volume = linear(info->volume);
  input.pid = identity.pid;
  input.machine = identity.machine;
  input.binary = identity.binary;
  input.application = identity.application;
  if (input.client != kInvalidIndex) reply->inputs->push_back(std::move(input));
}

void on_client(pa_context*, const pa_client_info* info, int end, void* self) {
  auto* reply = static_cast<Reply*>(self);
  if (end != 0 || !info) return reply->connection->wake();
  reply->clients[info->index] = identity_of(reply->connection->libpulse(), info->proplist);
}

}  // namespace

Error query_inputs(Connection* connection, const Connection::Deadline& deadline,
                   std::vector<PulseInput>* inputs) {
  const LibPulse& library = connection->libpulse();
  Reply reply{connection, inputs, {}};
  Error error = connection->await(
      library.pa_context_get_sink_input_info_list(connection->context(), on_input, &reply),
      "pa_context_get_sink_input_info_list", deadline);
  const auto nameless = [](const PulseInput& input) { return input.pid == 0; };
  if (error || std::none_of(inputs->begin(), inputs->end(), nameless)) return error;
  error = connection->await(
      library.pa_context_get_client_info_list(connection->context(), on_client, &reply),
      "pa_context_get_client_info_list", deadline);
  for (PulseInput& input : *inputs) {
    const auto client = reply.clients.find(input.client);
    if (input.pid != 0 || client == reply.clients.end()) continue;
    input.pid = client->second.pid;
    input.machine = client->second.machine;
    if (input.binary.empty()) input.binary = client->second.binary;
    if (input.application.empty()) input.application = client->second.application;
  }
  // A module of the server has no separate process.
  inputs->erase(std::remove_if(inputs->begin(), inputs->end(), nameless), inputs->end());
  return error;
}

Ancestry process_of(const ProcessTable& table, const PulseInput& input) {
  Ancestry ancestry = ancestry_of(table, input.pid);
  if (!ancestry.empty() && plays(table, ancestry.front(), input)) return ancestry;
  ProcessRecord elsewhere;
  elsewhere.id.pid = ancestry.empty() ? input.pid : 0;
  elsewhere.id.start_time = -1 - int64_t{input.client};
  elsewhere.name = input.binary.empty() ? input.application : input.binary;
  return {elsewhere};
}

std::vector<ProcessInfo> to_processes(const ProcessTable& table,
                                      const std::vector<PulseInput>& inputs,
                                      const std::vector<PulseDevice>& sinks, bool running) {
  const Ancestry own = ancestry_of(table, table.own_pid());
  std::vector<ProcessInfo> processes;
  const auto entry_of = [&](const Ancestry& ancestry) -> ProcessInfo& {
    const ProcessRecord& record = ancestry.front();
    for (ProcessInfo& known : processes) {
      if (known.id == record.id) return known;
    }
    processes.push_back(describe(ancestry, own));
    return processes.back();
  };
  for (const PulseInput& input : inputs) {
    ProcessInfo& info = entry_of(process_of(table, input));
    const bool first = info.state == ProcessState::kSilent;
    if (!input.application.empty()) info.display_name = input.application;
    if (!input.corked) info.state = ProcessState::kActive;
    if (first && input.corked) info.state = ProcessState::kInactive;
    // The loudest of several streams counts.
    info.volume = first ? input.volume : std::max(info.volume, input.volume);
    // NaN if nothing was measured; the loudest of several streams counts.
    info.level = first ? input.level : std::fmax(info.level, input.level);
    info.muted = first ? input.muted : info.muted && input.muted;
    for (const PulseDevice& sink : sinks) {
      const auto& known = info.device_ids;
      if (sink.index != input.sink ||
          std::find(known.begin(), known.end(), sink.name) != known.end()) {
        continue;
      }
      info.device_ids.push_back(sink.name);
    }
  }
  if (!running) return processes;
  for (const ProcessRecord& record : table.all()) {
    const Ancestry ancestry = ancestry_of(table, record.id.pid);
    if (!ancestry.empty()) entry_of(ancestry);
  }
  return processes;
}

}  // namespace pulse
}  // namespace patchcord
