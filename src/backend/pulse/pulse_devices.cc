#include "pulse_devices.h"

#include <algorithm>
#include <cmath>

#include "../known_cables.h"

namespace patchcord {
namespace pulse {

std::string text(const char* value) { return value ? value : ""; }

double linear(const pa_cvolume& volume) {
  uint32_t loudest = 0;
  for (size_t i = 0; i < volume.channels; ++i) loudest = std::max(loudest, volume.values[i]);
  return std::pow(static_cast<double>(loudest) / kNormalVolume, 3);
}

namespace {

SampleFormat sample_format(int32_t format) {
  switch (format) {
    case PA_SAMPLE_U8:
      return SampleFormat::kU8;
    case PA_SAMPLE_FLOAT32LE:
    case PA_SAMPLE_FLOAT32BE:
      return SampleFormat::kF32;
    case PA_SAMPLE_S32LE:
    case PA_SAMPLE_S32BE:
      return SampleFormat::kS32;
    case PA_SAMPLE_S24LE:
    case PA_SAMPLE_S24BE:
    case PA_SAMPLE_S24_32LE:
    case PA_SAMPLE_S24_32BE:
      return SampleFormat::kS24;
    default:
      return SampleFormat::kS16;  // A-law and u-law carry less
  }
}

// Collects the answers to a query that the server answers with a sequence.
template <typename Item, typename Info>
struct Listing {
  Connection* connection;
  std::vector<Item>* items;
  Item (*make)(const LibPulse&, const Info&);

  static void on_item(pa_context*, const Info* info, int end, void* self) {
    auto* listing = static_cast<Listing*>(self);
    if (end == 0 && info) {
      listing->items->push_back(listing->make(listing->connection->libpulse(), *info));
    } else {
      listing->connection->wake();
    }
  }
};

// The name of the property in PulseAudio, and in PipeWire.
std::string bluetooth_profile(const LibPulse& library, const pa_device_info& info) {
  const std::string name = text(library.pa_proplist_gets(info.proplist, "bluetooth.protocol"));
  return name.empty() ? text(library.pa_proplist_gets(info.proplist, "api.bluez5.profile")) : name;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

std::string transport_of(const PulseDevice& device) {
  if (device.network) return "network";
  if (!device.hardware) return "virtual";
  if (device.bus == "usb" || device.bus == "bluetooth") return device.bus;
  if (!device.profile.empty()) return "bluetooth";
  if (has(device.name, "hdmi")) return "hdmi";  // as both servers name such a profile of a card
  return device.bus == "pci" || device.bus == "isa" ? "builtin" : "";
}

// PulseAudio names the module as the driver. PipeWire groups the nodes of one echo canceller.
bool is_echo_canceller(const LibPulse& library, const pa_device_info& info) {
  if (text(info.driver) == "module-echo-cancel.c") return true;
  const std::string group = text(library.pa_proplist_gets(info.proplist, "node.link-group"));
  return group.compare(0, 12, "echo-cancel-") == 0;
}

PulseDevice make_device(const LibPulse& library, const pa_device_info& info) {
  return PulseDevice(library, info);
}

PulseModule make_module(const LibPulse&, const pa_module_info& info) {
  return {info.index, text(info.name), text(info.argument)};
}

const PulseDevice* find(const std::vector<PulseDevice>& devices, const std::string& name) {
  for (const PulseDevice& device : devices) {
    if (device.name == name) return &device;
  }
  return nullptr;
}

// The owner of a device says more than its driver: PipeWire names itself as the driver of
// everything, and reports the master of a remapped source only in the module's argument.
void ask_owner(const std::vector<PulseModule>& modules, PulseDevice* device) {
  for (const PulseModule& module : modules) {
    if (module.index != device->owner_module) continue;
    if (device->master.empty()) device->master = module_argument(module.argument, "master");
    if (device->driver == "PipeWire") device->driver = module.name + ".c";
  }
}

// The sink whose sound `source` carries. The source is a monitor, or remapped from one, over any
// number of steps (bounded, in case a server reports a loop).
std::string carried_sink(const std::vector<PulseDevice>& sources, const PulseDevice& source) {
  const PulseDevice* at = &source;
  for (int steps = 0; at && steps < 8; ++steps) {
    if (!at->monitor.empty()) return at->monitor;
    at = find(sources, at->master);
  }
  return {};
}

}  // namespace

std::string own_stand_in(const std::string& instance) { return "patchcord..stand-in." + instance; }

bool is_stand_in(const std::string& sink) {
  const std::string own = own_stand_in({});
  return sink == kServersStandIn || sink.compare(0, own.size(), own) == 0;
}

PulseDevice::PulseDevice(const LibPulse& library, const pa_device_info& info)
    : index(info.index),
      name(text(info.name)),
      description(text(info.description)),
      sample_spec(info.sample_spec),
      channel_map(info.channel_map),
      owner_module(info.owner_module),
      monitor(text(info.monitor_name)),
      master(text(library.pa_proplist_gets(info.proplist, "device.master_device"))),
      driver(text(info.driver)),
      kernel_driver(text(library.pa_proplist_gets(info.proplist, "alsa.driver_name"))),
      card(text(library.pa_proplist_gets(info.proplist, "alsa.card"))),
      card_device(text(library.pa_proplist_gets(info.proplist, "alsa.device"))),
      bus(text(library.pa_proplist_gets(info.proplist, "device.bus"))),
      profile(bluetooth_profile(library, info)),
      volume(info.mute ? 0 : linear(info.volume)),
      cancels_echo(monitor.empty() && is_echo_canceller(library, info)),
      hardware((info.flags & (kDeviceIsHardware | kDeviceIsNetwork)) != 0),
      network((info.flags & kDeviceIsNetwork) != 0),
      unplugged(info.active_port && info.active_port->available == kPortNotAvailable) {}

Error query_devices(Connection* connection, Flow flow, const Connection::Deadline& deadline,
                    std::vector<PulseDevice>* devices) {
  using Devices = Listing<PulseDevice, pa_device_info>;
  Devices listing{connection, devices, make_device};
  const LibPulse& library = connection->libpulse();
  return flow == Flow::kOutput
             ? connection->await(library.pa_context_get_sink_info_list(connection->context(),
                                                                       Devices::on_item, &listing),
                                 "pa_context_get_sink_info_list", deadline)
             : connection->await(library.pa_context_get_source_info_list(
                                     connection->context(), Devices::on_item, &listing),
                                 "pa_context_get_source_info_list", deadline);
}

Error query_device(Connection* connection, Flow flow, const std::string& name,
                   const Connection::Deadline& deadline, PulseDevice* device) {
  using Devices = Listing<PulseDevice, pa_device_info>;
  std::vector<PulseDevice> devices;
  Devices listing{connection, &devices, make_device};
  const LibPulse& library = connection->libpulse();
  auto* query = flow == Flow::kOutput ? library.pa_context_get_sink_info_by_name
                                      : library.pa_context_get_source_info_by_name;
  Error error =
      connection->await(query(connection->context(), name.c_str(), Devices::on_item, &listing),
                        "pa_context_get_device_info_by_name", deadline);
  if (error) return error;
  // The server also accepts "@DEFAULT_SINK@" and, in PipeWire, numbers. Those are not ids.
  if (const PulseDevice* found = find(devices, name)) {
    *device = *found;
    return error;
  }
  error = Error::make(ErrorCode::kDeviceNotFound, std::string("There is no ") +
                                                      (flow == Flow::kOutput ? "output" : "input") +
                                                      " with the id " + name);
  error.device_id = name;
  return error;
}

Error query_modules(Connection* connection, const Connection::Deadline& deadline,
                    std::vector<PulseModule>* modules) {
  using Modules = Listing<PulseModule, pa_module_info>;
  Modules listing{connection, modules, make_module};
  return connection->await(connection->libpulse().pa_context_get_module_info_list(
                               connection->context(), Modules::on_item, &listing),
                           "pa_context_get_module_info_list", deadline);
}

Error query_defaults(Connection* connection, const Connection::Deadline& deadline,
                     ServerDefaults* defaults) {
  struct Reply {
    Connection* connection;
    ServerDefaults* defaults;
  } reply{connection, defaults};
  auto on_server = [](pa_context*, const pa_server_info* info, void* userdata) {
    auto* reply = static_cast<Reply*>(userdata);
    if (info) *reply->defaults = {text(info->default_sink_name), text(info->default_source_name)};
    reply->connection->wake();
  };
  return connection->await(
      connection->libpulse().pa_context_get_server_info(connection->context(), on_server, &reply),
      "pa_context_get_server_info", deadline);
}

DeviceInfo to_device_info(const PulseDevice& device, Flow flow, const ServerDefaults& defaults) {
  DeviceInfo info;
  info.id = device.name;
  info.name = device.description.empty() ? device.name : device.description;
  info.flow = flow;
  info.state = device.unplugged ? DeviceState::kUnplugged : DeviceState::kActive;
  // PulseAudio has one default for every role.
  info.default_console = info.default_communications =
      device.name == (flow == Flow::kOutput ? defaults.sink : defaults.source);
  info.format = {device.sample_spec.rate, device.sample_spec.channels,
                 sample_format(device.sample_spec.format)};
  info.is_virtual = !device.hardware;
  info.stand_in = is_stand_in(device.name);
  info.driver = device.driver;
  // The profile of a Bluetooth headset during a call; BlueZ's names for it differ.
  const bool hands_free = has(device.profile, "head") && has(device.profile, "unit");
  info.origin = {
      {},         {}, device.kernel_driver, device.card, device.card_device, transport_of(device),
      hands_free,
  };
  return info;
}

Error list_pulse_devices(Connection* connection, std::vector<DeviceInfo>* devices) {
  Connection::Lock lock(*connection);
  Connection::Deadline deadline(connection, kCallLimit);
  ServerDefaults defaults;
  std::vector<PulseModule> modules;
  std::vector<PulseDevice> sinks;
  std::vector<PulseDevice> sources;
  Error error = query_defaults(connection, deadline, &defaults);
  if (!error) error = query_modules(connection, deadline, &modules);
  if (!error) error = query_devices(connection, Flow::kOutput, deadline, &sinks);
  if (!error) error = query_devices(connection, Flow::kInput, deadline, &sources);
  if (error) return error;

  devices->clear();
  for (PulseDevice& sink : sinks) {
    ask_owner(modules, &sink);
    devices->push_back(to_device_info(sink, Flow::kOutput, defaults));
  }
  const size_t outputs = devices->size();
  for (PulseDevice& source : sources) ask_owner(modules, &source);
  for (const PulseDevice& source : sources) {
    if (!source.monitor.empty()) continue;
    DeviceInfo info = to_device_info(source, Flow::kInput, defaults);
    info.peer_id = carried_sink(sources, source);
    for (size_t i = 0; i < outputs; ++i) {
      DeviceInfo& output = (*devices)[i];
      if (output.id == info.peer_id && output.peer_id.empty()) output.peer_id = info.id;
    }
    devices->push_back(std::move(info));
  }
  recognise_cables(devices, connection->traits().cable_driver);
  return Error::none();
}

Error ask_pulse_hearing(Connection* connection, const std::string& render_id,
                        const std::string& microphone_id, Hearing* hearing) {
  Connection::Lock lock(*connection);
  Connection::Deadline deadline(connection, kShortCallLimit);
  PulseDevice device;
  Error error = query_device(connection, Flow::kOutput, render_id, deadline, &device);
  if (error) return error;
  hearing->weaken(render_id, device.volume);
  error = query_device(connection, Flow::kInput, microphone_id, deadline, &device);
  if (!error) hearing->weaken(microphone_id, device.volume);
  return error;
}

std::string module_argument(const std::string& argument, const std::string& key) {
  size_t at = 0;
  while (at < argument.size()) {
    const size_t equals = argument.find('=', at);
    if (equals == std::string::npos) break;
    size_t begin = equals + 1;
    char end = ' ';
    if (begin < argument.size() && (argument[begin] == '"' || argument[begin] == '\'')) {
      end = argument[begin++];
    }
    std::string value;
    size_t i = begin;
    for (; i < argument.size() && argument[i] != end; ++i) {
      if (argument[i] == '\\' && i + 1 < argument.size()) ++i;
      value += argument[i];
    }
    const size_t name = argument.find_first_not_of(' ', at);
    if (argument.compare(name, equals - name, key) == 0 && key.size() == equals - name) {
      return value;
    }
    at = i + 1;
  }
  return {};
}

}  // namespace pulse
}  // namespace patchcord
