#include "program_streams.h"

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

// Whether the process that has a stream's number here is the one that owns the stream. A program in
// a container reports its number there, which is another process here.
bool owns(const ProcessTable& table, const ProcessRecord& process, const ProgramStream& stream) {
  if (!stream.machine.empty() && stream.machine != own_machine()) return false;
  if (stream.binary.empty() || process.name == stream.binary) return true;
  // Without a path the name is the kernel's, which has at most 15 bytes.
  constexpr size_t kKernelsName = 15;
  if (process.path.empty() && process.name == stream.binary.substr(0, kKernelsName)) return true;
  // A program may be started through a link to its file.
  return table.called(process.id.pid) == stream.binary;
}

struct Reply {
  Connection* connection;
  std::vector<ProgramStream>* streams;
  std::map<uint32_t, Identity> clients;
};

uint32_t device_of(const pa_sink_input_info& info) { return info.sink; }
uint32_t device_of(const pa_source_output_info& info) { return info.source; }

bool is_meter(const LibPulse&, const pa_sink_input_info&) { return false; }
// A stream that was opened with PA_STREAM_PEAK_DETECT: PulseAudio names the resampler, PipeWire
// sets a property.
bool is_meter(const LibPulse& library, const pa_source_output_info& info) {
  return text(info.resample_method) == "peaks" ||
         text(library.pa_proplist_gets(info.proplist, "resample.peaks")) == "true";
}

template <typename Info>
void on_stream(pa_context*, const Info* info, int end, void* self) {
  auto* reply = static_cast<Reply*>(self);
  if (end != 0 || !info) return reply->connection->wake();
  const LibPulse& library = reply->connection->libpulse();
  if (info->client == kInvalidIndex || is_meter(library, *info)) return;
  const Identity identity = identity_of(library, info->proplist);
  ProgramStream stream;
  stream.index = info->index;
  stream.client = info->client;
  stream.device = device_of(*info);
  stream.corked = info->corked != 0;
  stream.muted = info->mute != 0;
  if (info->has_volume) stream.volume = static_cast<float>(linear(info->volume));
  stream.pid = identity.pid;
  stream.machine = identity.machine;
  stream.binary = identity.binary;
  stream.application = identity.application;
  reply->streams->push_back(std::move(stream));
}

void on_client(pa_context*, const pa_client_info* info, int end, void* self) {
  auto* reply = static_cast<Reply*>(self);
  if (end != 0 || !info) return reply->connection->wake();
  reply->clients[info->index] = identity_of(reply->connection->libpulse(), info->proplist);
}

}  // namespace

Error query_streams(Connection* connection, Flow flow, const Connection::Deadline& deadline,
                    std::vector<ProgramStream>* streams) {
  const LibPulse& library = connection->libpulse();
  Reply reply{connection, streams, {}};
  Error error =
      flow == Flow::kOutput
          ? connection->await(library.pa_context_get_sink_input_info_list(
                                  connection->context(), on_stream<pa_sink_input_info>, &reply),
                              "pa_context_get_sink_input_info_list", deadline)
          : connection->await(library.pa_context_get_source_output_info_list(
                                  connection->context(), on_stream<pa_source_output_info>, &reply),
                              "pa_context_get_source_output_info_list", deadline);
  const auto nameless = [](const ProgramStream& stream) { return stream.pid == 0; };
  if (error || std::none_of(streams->begin(), streams->end(), nameless)) return error;
  error = connection->await(
      library.pa_context_get_client_info_list(connection->context(), on_client, &reply),
      "pa_context_get_client_info_list", deadline);
  for (ProgramStream& stream : *streams) {
    const auto client = reply.clients.find(stream.client);
    if (stream.pid != 0 || client == reply.clients.end()) continue;
    stream.pid = client->second.pid;
    stream.machine = client->second.machine;
    if (stream.binary.empty()) stream.binary = client->second.binary;
    if (stream.application.empty()) stream.application = client->second.application;
  }
  // A module of the server has no separate process.
  streams->erase(std::remove_if(streams->begin(), streams->end(), nameless), streams->end());
  return error;
}

void keep_microphones(const std::vector<PulseDevice>& sources,
                      std::vector<ProgramStream>* streams) {
  const auto other = [&sources](const ProgramStream& stream) {
    return std::none_of(sources.begin(), sources.end(), [&stream](const PulseDevice& source) {
      return source.index == stream.device && source.monitor.empty();
    });
  };
  streams->erase(std::remove_if(streams->begin(), streams->end(), other), streams->end());
}

Ancestry process_of(const ProcessTable& table, const ProgramStream& stream) {
  Ancestry ancestry = ancestry_of(table, stream.pid);
  if (!ancestry.empty() && owns(table, ancestry.front(), stream)) return ancestry;
  ProcessRecord elsewhere;
  elsewhere.id.pid = ancestry.empty() ? stream.pid : 0;
  elsewhere.id.start_time = -1 - int64_t{stream.client};
  elsewhere.name = stream.binary.empty() ? stream.application : stream.binary;
  return {elsewhere};
}

std::vector<ProcessInfo> to_processes(const ProcessTable& table,
                                      const std::vector<ProgramStream>& streams,
                                      const std::vector<PulseDevice>& devices, bool running) {
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
  for (const ProgramStream& stream : streams) {
    ProcessInfo& info = entry_of(process_of(table, stream));
    const bool first = info.state == ProcessState::kSilent;
    if (info.id.start_time < 0) info.origin = stream.machine + " " + std::to_string(stream.pid);
    if (!stream.application.empty()) info.display_name = stream.application;
    if (!stream.corked) info.state = ProcessState::kActive;
    if (first && stream.corked) info.state = ProcessState::kInactive;
    // The loudest of several streams counts.
    info.volume = first ? stream.volume : std::max(info.volume, stream.volume);
    // NaN if nothing was measured; the loudest of several streams counts.
    info.level = first ? stream.level : std::fmax(info.level, stream.level);
    info.muted = first ? stream.muted : info.muted && stream.muted;
    for (const PulseDevice& device : devices) {
      const auto& known = info.device_ids;
      if (device.index != stream.device ||
          std::find(known.begin(), known.end(), device.name) != known.end()) {
        continue;
      }
      info.device_ids.push_back(device.name);
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
