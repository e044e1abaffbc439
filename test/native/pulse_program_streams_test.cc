// Which streams of the server count as a program's use of a microphone.
#include "../../src/backend/pulse/pulse_connection.h"
#include "pulse_server.h"

using namespace patchcord;
using namespace pulse_server;
using namespace patchcord::pulse;

namespace {

// A stream of "mic" as a volume control opens it to show a level, or as a recorder does.
pa_stream* record(Connection* connection, bool meter) {
  const LibPulse& pulse = connection->libpulse();
  const pa_sample_spec spec{PA_SAMPLE_FLOAT32LE, meter ? 25u : 48000u, 1};
  const Connection::Lock lock(*connection);
  pa_proplist* properties = pulse.pa_proplist_new();
  pa_stream* stream = pulse.pa_stream_new_with_proplist(
      connection->context(), meter ? "Peak detect" : "Record", &spec, nullptr, properties);
  pulse.pa_proplist_free(properties);
  const int flags = PA_STREAM_ADJUST_LATENCY | (meter ? PA_STREAM_PEAK_DETECT : 0);
  pulse.pa_stream_connect_record(stream, "mic", nullptr, static_cast<pa_stream_flags_t>(flags));
  return stream;
}

bool is_ready(Connection* connection, pa_stream* stream) {
  const Connection::Lock lock(*connection);
  return connection->libpulse().pa_stream_get_state(stream) == PA_STREAM_READY;
}

}  // namespace

TEST("pulse: a level meter does not use the microphone, a recorder does") {
  auto host = connect();
  if (!host) return;
  std::unique_ptr<Connection> connection;
  const Error error =
      Connection::open(Connection::Purpose::kStreams, {}, &connection, kNsPerSecond);
  CHECK(!error);
  if (error) return;
  ProcessQuery query;
  query.flow = Flow::kInput;
  std::vector<ProcessInfo> processes;
  pa_stream* const meter = record(connection.get(), true);
  CHECK(eventually([&] { return is_ready(connection.get(), meter); }));
  CHECK(!host->list_processes(query, &processes) && processes.empty());
  pa_stream* const recorder = record(connection.get(), false);
  CHECK(eventually([&] { return is_ready(connection.get(), recorder); }));
  CHECK(!host->list_processes(query, &processes) && processes.size() == 1);
  if (processes.size() == 1) {
    CHECK(processes[0].id.pid == static_cast<uint32_t>(getpid()));
    CHECK(processes[0].device_ids == std::vector<std::string>{"mic"});
    CHECK(processes[0].state == ProcessState::kActive);
  }
  const Connection::Lock lock(*connection);
  for (pa_stream* stream : {meter, recorder}) {
    connection->libpulse().pa_stream_disconnect(stream);
    connection->libpulse().pa_stream_unref(stream);
  }
}
