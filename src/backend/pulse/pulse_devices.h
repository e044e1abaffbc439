// Sinks and sources of the server, as devices.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "../backend.h"
#include "pulse_connection.h"

namespace patchcord {
namespace pulse {

std::string text(const char* value);  // empty for nullptr
// The linear gain. The server's volumes are cubic, and one for each channel; the loudest counts.
double linear(const pa_cvolume& volume);

// The server's description of one sink or source, copied out of the callback.
struct PulseDevice {
  PulseDevice(const LibPulse& library, const pa_device_info& info);
  PulseDevice() = default;

  uint32_t index = kInvalidIndex;
  std::string name;
  std::string description;
  pa_sample_spec sample_spec{};
  pa_channel_map channel_map{};
  uint32_t owner_module = kInvalidIndex;
  std::string monitor;  // a sink's monitor source; of a monitor source, its sink; else empty
  std::string master;   // for a remapped source, the source that it takes its sound from
  std::string driver;
  std::string kernel_driver;  // of a sound card: "snd_aloop"
  std::string card;
  std::string card_device;
  std::string bus;            // "pci", "usb", "bluetooth"
  std::string profile;        // of a Bluetooth device
  double volume = 1;          // linear; 0: muted
  bool cancels_echo = false;  // an input
  bool hardware = false;      // here or at the other end of a network connection
  bool network = false;
  bool unplugged = false;
};

// The sink that module-always-sink of either server loads while there is no other.
constexpr char kServersStandIn[] = "auto_null";
// The sink that we load in its place; see PulseCables::keep_output.
std::string own_stand_in(const std::string& instance);
bool is_stand_in(const std::string& sink);

struct PulseModule {
  uint32_t index;
  std::string name;
  std::string argument;
};

struct ServerDefaults {
  std::string sink;
  std::string source;
};

// All of these: control thread, under the lock.
Error query_devices(Connection* connection, Flow flow, const Connection::Deadline& deadline,
                    std::vector<PulseDevice>* devices);
Error query_device(Connection* connection, Flow flow, const std::string& name,
                   const Connection::Deadline& deadline, PulseDevice* device);
Error query_modules(Connection* connection, const Connection::Deadline& deadline,
                    std::vector<PulseModule>* modules);
Error query_defaults(Connection* connection, const Connection::Deadline& deadline,
                     ServerDefaults* defaults);

DeviceInfo to_device_info(const PulseDevice& device, Flow flow, const ServerDefaults& defaults);

// The device list of the contract: without monitors, with peers.
Error list_pulse_devices(Connection* connection, std::vector<DeviceInfo>* devices);

// Implements Host::ask_hearing() of the contract.
Error ask_pulse_hearing(Connection* connection, const std::string& render_id,
                        const std::string& microphone_id, Hearing* hearing);

// The value of `key` in a module's argument ("a=b c='d e'"), empty if it has none.
std::string module_argument(const std::string& argument, const std::string& key);

}  // namespace pulse
}  // namespace patchcord
