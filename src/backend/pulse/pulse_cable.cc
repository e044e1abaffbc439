#include "pulse_cable.h"

#include <algorithm>

namespace patchcord {
namespace pulse {
namespace {

// What module-always-sink of either server loads while there is no other sink.
constexpr char kServersStandIn[] = "auto_null";

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// A name as the server can show it. PipeWire before 0.3.66 keeps the backslashes that quoted()
// would need, later ones take them away twice: there is nothing both read alike, so there the
// characters that would need one become their typographic forms.
std::string presentable(std::string text, bool on_pipewire) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  if (!on_pipewire) return text;
  text = replace_all(text, "\\", "\xE2\x88\x96");
  text = replace_all(text, "'", "\xE2\x80\x99");
  return replace_all(text, "\"", "\xE2\x80\x9D");
}

// `text` as it may stand between the inner quotes of ="key='...'". PulseAudio reads the argument
// and the properties in it with one pass of unescaping.
std::string quoted(std::string text) {
  text = replace_all(text, "\\", "\\\\");
  text = replace_all(text, "'", "\\'");
  return replace_all(text, "\"", "\\\"");
}

// The connection that a module of ours belongs to, empty if it is not ours.
std::string instance_of(const std::string& argument) {
  const std::string key = std::string(kInstanceProperty) + "=";
  const size_t at = argument.find(key);
  if (at == std::string::npos) return {};
  const size_t begin = at + key.size();
  return argument.substr(begin, argument.find_first_not_of("0123456789abcdef-", begin) - begin);
}

Error query_instances(Connection* connection, const Connection::Deadline& deadline,
                      std::vector<std::string>* instances) {
  struct Reply {
    Connection* connection;
    std::vector<std::string>* instances;
  } reply{connection, instances};
  auto on_client = [](pa_context*, const pa_client_info* info, int end, void* userdata) {
    auto* reply = static_cast<Reply*>(userdata);
    if (end != 0 || !info) {
      reply->connection->wake();
      return;
    }
    const LibPulse& library = reply->connection->libpulse();
    const char* instance = library.pa_proplist_gets(info->proplist, kInstanceProperty);
    if (instance) reply->instances->push_back(instance);
  };
  return connection->await(connection->libpulse().pa_context_get_client_info_list(
                               connection->context(), on_client, &reply),
                           "pa_context_get_client_info_list", deadline);
}

bool has(const std::vector<PulseDevice>& devices, const std::string& name) {
  return std::any_of(devices.begin(), devices.end(),
                     [&](const PulseDevice& device) { return device.name == name; });
}

// Programs show microphones by name: two of one name could not be told apart.
std::string free_name(const std::string& wanted, const std::vector<PulseDevice>& sources) {
  std::string name = wanted;
  for (int copy = 2; std::any_of(sources.begin(), sources.end(),
                                 [&](const PulseDevice& s) { return s.description == name; });
       ++copy) {
    name = wanted + " (" + std::to_string(copy) + ")";
  }
  return name;
}

}  // namespace

PulseCables::~PulseCables() {
  Connection::Lock lock(connection_);
  Connection::Deadline deadline(&connection_, kCallLimit);
  for (const Made& made : made_) unload(made, deadline);
  unload(stand_in_, deadline);
}

bool PulseCables::owns(const std::string& render_id) const {
  return std::any_of(made_.begin(), made_.end(),
                     [&](const Made& made) { return made.render_id == render_id; });
}

Error PulseCables::make(const std::string& name, const Format& format, Cable* cable) {
  Connection::Lock lock(connection_);
  Connection::Deadline deadline(&connection_, kCallLimit);
  ServerDefaults before;
  Error error = query_defaults(&connection_, deadline, &before);
  if (!error && before.sink == kServersStandIn) error = keep_output(deadline, &before);
  if (error) return error;
  Made made;
  error = build(name, format, deadline, &made, cable);
  if (error) {
    unload(made, deadline);
  } else {
    made_.push_back(made);
  }
  restore(before, deadline);
  return error;
}

Error PulseCables::build(const std::string& name, const Format& format,
                         const Connection::Deadline& deadline, Made* made, Cable* cable) {
  std::vector<PulseDevice> sources;
  if (Error error = query_devices(&connection_, Flow::kInput, deadline, &sources)) return error;
  const std::string sink = "patchcord." + connection_.instance() + "." + std::to_string(++counter_);
  const std::string source = sink + ".microphone";
  const std::string label =
      quoted(free_name(presentable(name, connection_.on_pipewire()), sources));
  const std::string instance = std::string(kInstanceProperty) + "=" + connection_.instance();
  // Without a format the servers choose 16 bits at 44.1 kHz; in f32 the path is exact to the bit.
  const std::string spec = " format=float32le rate=" + std::to_string(format.sample_rate) +
                           " channels=" + std::to_string(format.channels);
  const std::string feed_argument = "sink_name=" + sink + spec + " sink_properties=\"" + instance +
                                    " device.description='" + label + " (playback)'\"";
  // An idle null sink renders two seconds of silence ahead, which whoever plays first has to wait
  // for; with norewinds 50 ms. PulseAudio knows the word since 15.0, PipeWire needs none.
  Error error = Error::none();
  if (!connection_.on_pipewire()) {
    error = load("module-null-sink", feed_argument + " norewinds=1", deadline, made);
  }
  if (error || connection_.on_pipewire()) {
    error = load("module-null-sink", feed_argument, deadline, made);
  }
  if (error) return error;
  error = load("module-remap-source",
               "source_name=" + source + " master=" + sink + ".monitor" + spec +
                   " source_properties=\"" + instance + " device.description='" + label +
                   "' device.icon_name=audio-input-microphone\"",
               deadline, made);
  if (error) return error;

  // A server gives another name to what would be the second of one, and may refuse the properties
  // without a word: only what is there counts.
  ServerDefaults defaults;
  PulseDevice microphone;
  PulseDevice feed;
  error = query_device(&connection_, Flow::kOutput, sink, deadline, &feed);
  if (!error) error = query_device(&connection_, Flow::kInput, source, deadline, &microphone);
  // PipeWire says that a module is loaded a moment before its device is there.
  while (error.code == ErrorCode::kDeviceNotFound && connection_.on_pipewire() &&
         !deadline.passed()) {
    connection_.pause(10 * kNsPerMs);
    error = query_device(&connection_, Flow::kInput, source, deadline, &microphone);
  }
  if (error) return error;
  made->render_id = cable->render_id = sink;
  cable->microphone = to_device_info(microphone, Flow::kInput, defaults);
  cable->microphone.peer_id = sink;
  return Error::none();
}

// The servers' own stand-in for a missing sound card goes as soon as there is another sink, and the
// cable would become everybody's output: what plays would be heard by those who listen to the
// microphone. Another stand-in comes first, and stays as long as this connection.
Error PulseCables::keep_output(const Connection::Deadline& deadline, ServerDefaults* defaults) {
  const std::string name = "patchcord." + connection_.instance() + ".output";
  *defaults = {name, name + ".monitor"};
  if (!stand_in_.modules.empty()) return Error::none();
  Error error = load("module-null-sink",
                     "sink_name=" + name + " sink_properties=\"" + kInstanceProperty + "=" +
                         connection_.instance() + " device.description='Dummy Output'\"",
                     deadline, &stand_in_);
  std::vector<PulseDevice> sinks;
  while (!error) {
    sinks.clear();
    error = query_devices(&connection_, Flow::kOutput, deadline, &sinks);
    if (!has(sinks, kServersStandIn)) break;
    connection_.pause(10 * kNsPerMs);
  }
  return error;
}

// PulseAudio changes its defaults before it answers that a module is loaded. PipeWire's session
// manager does so when it gets to it, from one device without hardware to another: there a default
// without hardware is written down even while it is still right.
void PulseCables::restore(const ServerDefaults& before, const Connection::Deadline& deadline) {
  const LibPulse& library = connection_.libpulse();
  ServerDefaults after;
  const struct {
    Flow flow;
    const std::string& before;
    const std::string& after;
    decltype(library.pa_context_set_default_sink) set;
  } defaults[] = {
      {Flow::kOutput, before.sink, after.sink, library.pa_context_set_default_sink},
      {Flow::kInput, before.source, after.source, library.pa_context_set_default_source}};
  const Connection::Deadline settled(&connection_, kNsPerSecond);
  for (bool first = true; !settled.passed(); first = false) {
    if (query_defaults(&connection_, deadline, &after)) return;
    bool right = true;
    for (const auto& each : defaults) {
      const bool same = each.after == each.before;
      if (each.before.empty() || (same && !(first && connection_.on_pipewire()))) continue;
      PulseDevice device;
      const bool found = !query_device(&connection_, each.flow, each.before, deadline, &device);
      if (found && same && device.hardware) continue;
      right = false;
      if (!found) continue;  // a stand-in's monitor comes a moment after the stand-in
      Connection::Success reply{&connection_};
      connection_.await(
          each.set(connection_.context(), each.before.c_str(), Connection::on_success, &reply),
          "pa_context_set_default", deadline);
    }
    if (right) return;
    connection_.pause(20 * kNsPerMs);
  }
}

Error PulseCables::load(const char* module, const std::string& argument,
                        const Connection::Deadline& deadline, Made* made) {
  struct Reply {
    Connection* connection;
    uint32_t index = kInvalidIndex;
  } reply{&connection_};
  auto on_loaded = [](pa_context*, uint32_t index, void* userdata) {
    auto* reply = static_cast<Reply*>(userdata);
    reply->index = index;
    reply->connection->wake();
  };
  Error error =
      connection_.await(connection_.libpulse().pa_context_load_module(
                            connection_.context(), module, argument.c_str(), on_loaded, &reply),
                        "pa_context_load_module", deadline);
  if (error) return error;
  if (reply.index == kInvalidIndex) {
    return connection_.last_error(
        "pa_context_load_module",
        std::string("The audio server refused to load ") + module + " " + argument);
  }
  made->modules.push_back(reply.index);
  return error;
}

void PulseCables::unload(const Made& made, const Connection::Deadline& deadline) {
  for (auto module = made.modules.rbegin(); module != made.modules.rend(); ++module) {
    if (!connection_.alive()) return;
    Connection::Success reply{&connection_};
    connection_.await(connection_.libpulse().pa_context_unload_module(
                          connection_.context(), *module, Connection::on_success, &reply),
                      "pa_context_unload_module", deadline);
  }
}

void PulseCables::remove(const std::string& render_id) {
  Connection::Lock lock(connection_);
  Connection::Deadline deadline(&connection_, kCallLimit);
  const auto made = std::find_if(made_.begin(), made_.end(), [&](const Made& candidate) {
    return candidate.render_id == render_id;
  });
  if (made == made_.end()) return;
  unload(*made, deadline);
  made_.erase(made);
}

void PulseCables::remove_orphans() {
  Connection::Lock lock(connection_);
  Connection::Deadline deadline(&connection_, kCallLimit);
  // In this order: who made a module that is listed was connected before the clients are listed.
  std::vector<PulseModule> modules;
  std::vector<std::string> connected;
  if (query_modules(&connection_, deadline, &modules)) return;
  if (query_instances(&connection_, deadline, &connected)) return;
  Made orphans;
  for (const PulseModule& module : modules) {
    const std::string instance = instance_of(module.argument);
    if (instance.empty()) continue;
    if (std::find(connected.begin(), connected.end(), instance) != connected.end()) continue;
    orphans.modules.push_back(module.index);
  }
  unload(orphans, deadline);
}

}  // namespace pulse
}  // namespace patchcord
