#include "pulse_cable.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <set>
#include <utility>

#include "pulse_moves.h"

namespace patchcord {
namespace pulse {
namespace {

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

// How long the end of the process waits for its servers, all together.
constexpr int64_t kExitLimit = kNsPerSecond;

// The hosts that may have a microphone on a server. Never destroyed: threads still run while a
// process exits.
struct Living {
  std::mutex mutex;
  std::set<PulseCables*> cables;
  bool exiting = false;
};
Living& living() {
  static Living& living = *new Living;
  return living;
}

std::string spec_of(const Format& format) {
  return " format=float32le rate=" + std::to_string(format.sample_rate) +
         " channels=" + std::to_string(format.channels);
}

Error exiting() { return Error::make(ErrorCode::kBackendUnavailable, "The process is exiting"); }

}  // namespace

// Node ends its environments in order when a worker ends and when nothing keeps the process alive.
// It does not do so at process.exit() or after an uncaught exception, which lead straight to
// exit().
void PulseCables::at_exit() {
  std::lock_guard<std::mutex> lock(living().mutex);
  living().exiting = true;
  const int64_t end = real_clock().now() + kExitLimit;
  for (PulseCables* cables : living().cables) cables->leave(end - real_clock().now());
}

PulseCables::~PulseCables() {
  {
    std::lock_guard<std::mutex> lock(living().mutex);
    living().cables.erase(this);
  }
  Connection::Lock lock(connection_);
  for (pa_operation* look : looks_) {
    connection_.libpulse().pa_operation_cancel(look);
    connection_.forget(look);
  }
  const Connection::Deadline deadline(&connection_, kCallLimit);
  unload_all(deadline);
}

// On the thread that exits, while other threads may still call the same server.
void PulseCables::leave(int64_t limit_ns) {
  Connection::Lock lock(connection_);
  const Connection::Deadline deadline(&connection_, limit_ns);
  leaving_ = true;
  while (making_ && connection_.alive() && !deadline.passed()) connection_.wait();
  unload_all(deadline);
}

void PulseCables::unload_all(const Connection::Deadline& deadline) {
  Made all = std::exchange(stand_in_, {});
  for (const Made& made : std::exchange(made_, {})) {
    all.modules.insert(all.modules.end(), made.modules.begin(), made.modules.end());
  }
  unload(all, deadline);
}

bool PulseCables::owns(const std::string& render_id) const {
  return std::any_of(made_.begin(), made_.end(),
                     [&](const Made& made) { return made.render_id == render_id; });
}

Error PulseCables::make(const std::string& name, const Format& format, Cable* cable) {
  return make_kind(Kind::kMicrophone, name, format, cable);
}

Error PulseCables::make_speaker(const std::string& name, const Format& format,
                                std::string* output_id) {
  Cable made;
  Error error = make_kind(Kind::kSpeaker, name, format, &made);
  *output_id = made.render_id;
  return error;
}

Error PulseCables::make_kind(Kind kind, const std::string& name, const Format& format,
                             Cable* cable) {
  {
    static const bool registered = std::atexit(at_exit) == 0;
    (void)registered;
    std::lock_guard<std::mutex> lock(living().mutex);
    if (living().exiting) return exiting();
    living().cables.insert(this);
  }
  Connection::Lock lock(connection_);
  making_ = true;
  Connection::Deadline deadline(&connection_, kCallLimit);
  ServerDefaults before;
  Error error = query_defaults(&connection_, deadline, &before);
  if (!error && before.sink == kServersStandIn) error = keep_output(deadline, &before);
  Made made;
  if (!error) {
    error = build(kind, name, format, deadline, &made, cable);
    if (error) {
      unload(made, deadline);
    } else {
      made_.push_back(made);
    }
    restore(before, deadline);
  }
  making_ = false;
  connection_.wake();
  return error;
}

// Two processes may make devices of the same name at once. Each checks which names it got, and one
// of them tries the next name.
Error PulseCables::build(Kind kind, const std::string& wanted, const Format& format,
                         const Connection::Deadline& deadline, Made* made, Cable* cable) {
  const bool speaker = kind == Kind::kSpeaker;
  Naming naming = Naming::kTaken;
  for (uint32_t copy = 1; naming == Naming::kTaken; ++copy) {
    const CableName name = cable_name(wanted, copy, connection_.traits().quoting_varies);
    std::vector<PulseDevice> sources;
    std::vector<PulseDevice> sinks;
    Error error = query_devices(&connection_, Flow::kInput, deadline, &sources);
    if (!error) error = query_devices(&connection_, Flow::kOutput, deadline, &sinks);
    if (error) return error;
    const std::string& sink = speaker ? name.speaker : name.sink;
    const std::vector<PulseDevice>& alike = speaker ? sinks : sources;
    const bool shown = std::any_of(alike.begin(), alike.end(), [&](const PulseDevice& device) {
      return device.description == name.shown;
    });
    if (shown || has(sinks, sink) || (!speaker && has(sources, name.microphone))) continue;
    // The process that has the sink's name may take the source's.
    PulseDevice feed;
    PulseDevice microphone;
    error =
        load_sink(sink, speaker ? name.label : name.label + " (playback)", format, deadline, made);
    if (!error) error = see(Flow::kOutput, *made, sink, deadline, &naming, &feed);
    if (!error && naming == Naming::kOurs && !speaker) {
      error = load_source(name, format, deadline, made);
      if (!error) error = see(Flow::kInput, *made, name.microphone, deadline, &naming, &microphone);
    }
    if (error) return error;
    if (naming == Naming::kTaken) {
      unload(*made, deadline);
      made->modules.clear();
      continue;
    }
    made->render_id = cable->render_id = sink;
    if (speaker) continue;
    cable->microphone = to_device_info(microphone, Flow::kInput, {});
    cable->microphone.peer_id = name.sink;
  }
  return Error::none();
}

// Without a format the servers choose 16 bits at 44.1 kHz; in f32 the path is exact to the bit.
Error PulseCables::load_sink(const std::string& id, const std::string& label, const Format& format,
                             const Connection::Deadline& deadline, Made* made) {
  const std::string argument = "sink_name=" + id + spec_of(format) + " sink_properties=\"" +
                               mark() + " device.description='" + label + "'\"";
  // A program that starts to play would have to wait for the audio rendered ahead. A server that
  // does not know this argument refuses to load the module.
  if (connection_.traits().null_sink_renders_ahead &&
      !load("module-null-sink", argument + " norewinds=1", deadline, made)) {
    return Error::none();
  }
  return load("module-null-sink", argument, deadline, made);
}

Error PulseCables::load_source(const CableName& name, const Format& format,
                               const Connection::Deadline& deadline, Made* made) {
  return load("module-remap-source",
              "source_name=" + name.microphone + " master=" + name.sink + ".monitor" +
                  spec_of(format) + " source_properties=\"" + mark() + " device.description='" +
                  name.label + "' device.icon_name=audio-input-microphone\"",
              deadline, made);
}

std::string PulseCables::mark() const {
  return std::string(kInstanceProperty) + "=" + connection_.instance();
}

// Checks the devices of the module that was loaded last. A server may reject a name or properties
// without an error, so only the device list counts. PipeWire reports a module as loaded a moment
// before its device exists.
Error PulseCables::see(Flow flow, const Made& made, const std::string& name,
                       const Connection::Deadline& deadline, Naming* naming, PulseDevice* device) {
  for (;;) {
    std::vector<PulseDevice> devices;
    if (Error error = query_devices(&connection_, flow, deadline, &devices)) return error;
    *naming = naming_of(devices, made.modules.back(), name, device);
    if (*naming != Naming::kNotThere) return Error::none();
    connection_.pause(10 * kNsPerMs);
    if (deadline.passed()) {
      return Error::make(ErrorCode::kTimeout,
                         "The audio server did not list the device that it was asked to create");
    }
  }
}

// kOurs: the device of `module` is the only one of its name, or the one that has had it for longer.
// If a name is taken, PulseAudio renames the second device; PipeWire lets both have it.
PulseCables::Naming PulseCables::naming_of(const std::vector<PulseDevice>& devices, uint32_t module,
                                           const std::string& name, PulseDevice* made) {
  const auto owned = std::find_if(devices.begin(), devices.end(), [&](const PulseDevice& device) {
    return device.owner_module == module;
  });
  if (owned == devices.end()) return Naming::kNotThere;
  *made = *owned;
  const bool taken = std::any_of(devices.begin(), devices.end(), [&](const PulseDevice& device) {
    return device.name == name && device.owner_module < module;
  });
  return owned->name == name && !taken ? Naming::kOurs : Naming::kTaken;
}

// The server removes its own stand-in for a missing sound card as soon as there is another sink.
// The cable would then become the default output, and the microphone would carry what all programs
// play. So another stand-in is made first; it stays as long as this connection.
Error PulseCables::keep_output(const Connection::Deadline& deadline, ServerDefaults* defaults) {
  const std::string name = own_stand_in(connection_.instance());
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
  if (!error) events_.set_sink_listener(this);
  return error;
}

// A sound card has come: it becomes the default, as it would have without our stand-in. This thread
// must not wait for answers.
void PulseCables::on_sink_added(uint32_t index) noexcept {
  const LibPulse& library = connection_.libpulse();
  const auto done = std::partition(looks_.begin(), looks_.end(), [&](pa_operation* look) {
    return library.pa_operation_get_state(look) == PA_OPERATION_RUNNING;
  });
  std::for_each(done, looks_.end(), [&](pa_operation* look) { connection_.forget(look); });
  looks_.erase(done, looks_.end());
  pa_operation* look =
      library.pa_context_get_sink_info_by_index(connection_.context(), index, on_added_sink, this);
  if (look) looks_.push_back(look);
}

void PulseCables::on_added_sink(pa_context* context, const pa_device_info* info, int end,
                                void* self) {
  auto* cables = static_cast<PulseCables*>(self);
  const LibPulse& library = cables->connection_.libpulse();
  if (end != 0 || !info || cables->stand_in_.modules.empty()) return;
  if (library.pa_proplist_gets(info->proplist, kInstanceProperty)) return;
  if (is_stand_in(info->name)) return;
  Connection& connection = cables->connection_;
  connection.forget(library.pa_context_set_default_sink(context, info->name, nullptr, nullptr));
  for (const uint32_t module : std::exchange(cables->stand_in_, {}).modules) {
    connection.forget(library.pa_context_unload_module(context, module, nullptr, nullptr));
  }
  cables->events_.set_sink_listener(nullptr);
}

// PulseAudio changes its defaults before it reports a module as loaded. PipeWire's session manager
// does so later, and moves from one default without hardware to another; there such a default is
// set explicitly even while it is still right.
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
      if (each.before.empty() || (same && !(first && connection_.traits().defaults_need_writing)))
        continue;
      PulseDevice device;
      const bool found = !query_device(&connection_, each.flow, each.before, deadline, &device);
      if (found && same && device.hardware) continue;
      right = false;
      if (!found) continue;  // the monitor of a stand-in appears a moment after the stand-in
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
  if (leaving_) return exiting();
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
        std::string("The audio server did not load ") + module + " " + argument);
  }
  made->modules.push_back(reply.index);
  return error;
}

// All requests are sent before the first answer is waited for: a server that is late carries them
// out even if this process has ended by then.
void PulseCables::unload(const Made& made, const Connection::Deadline& deadline) {
  if (!connection_.alive()) return;
  const auto& modules = made.modules;
  std::vector<Connection::Success> replies(modules.size(), Connection::Success{&connection_});
  std::vector<pa_operation*> operations;
  for (size_t i = modules.size(); i-- > 0;) {
    operations.push_back(connection_.libpulse().pa_context_unload_module(
        connection_.context(), modules[i], Connection::on_success, &replies[i]));
  }
  for (pa_operation* operation : operations) {
    connection_.await(operation, "pa_context_unload_module", deadline);
  }
}

Error PulseCables::move_elsewhere(const std::vector<ProgramStream>& inputs) {
  Connection::Lock lock(connection_);
  const Connection::Deadline deadline(&connection_, kCallLimit);
  std::string output;
  Error error = output_for_others(deadline, &output);
  for (const ProgramStream& input : inputs) {
    if (error) return error;
    error = move_input(&connection_, input, output, deadline);
  }
  return error;
}

// When the last sound card goes, the sink of a microphone is the only one left, and the server
// makes it the default. A user may make it the default too; then there is a card to move programs
// to.
Error PulseCables::output_for_others(const Connection::Deadline& deadline, std::string* name) {
  ServerDefaults defaults;
  std::vector<PulseDevice> sinks;
  std::vector<PulseModule> modules;
  Error error = query_defaults(&connection_, deadline, &defaults);
  if (!error) error = query_devices(&connection_, Flow::kOutput, deadline, &sinks);
  if (!error) error = query_modules(&connection_, deadline, &modules);
  if (error) return error;
  const auto is_made = [&](const PulseDevice& sink) {
    return std::any_of(modules.begin(), modules.end(), [&](const PulseModule& module) {
      return module.index == sink.owner_module && !instance_of(module.argument).empty();
    });
  };
  const PulseDevice* found = nullptr;
  for (const PulseDevice& sink : sinks) {
    if (is_made(sink)) continue;
    if (sink.name == defaults.sink) found = &sink;
    if (!found || (sink.hardware && !found->hardware && found->name != defaults.sink)) {
      found = &sink;
    }
  }
  if (found) {
    *name = found->name;
    return error;
  }
  error = keep_output(deadline, &defaults);
  *name = defaults.sink;
  if (!error) restore(defaults, deadline);
  return error;
}

void PulseCables::remove(const std::string& render_id) {
  Connection::Lock lock(connection_);
  Connection::Deadline deadline(&connection_, kShortCallLimit);
  const auto found = std::find_if(made_.begin(), made_.end(), [&](const Made& candidate) {
    return candidate.render_id == render_id;
  });
  if (found == made_.end()) return;
  const Made made = std::move(*found);
  made_.erase(found);
  unload(made, deadline);
}

void PulseCables::remove_orphans() {
  Connection::Lock lock(connection_);
  Connection::Deadline deadline(&connection_, kCallLimit);
  // In this order: the client that made a listed module was connected before the clients are
  // listed.
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
