// Microphones made of two modules of the server: a null sink to play to, and a source remapped from
// its monitor, which other programs list as a microphone (browsers hide plain monitors).
#pragma once

#include <string>
#include <vector>

#include "../backend.h"
#include "pulse_connection.h"
#include "pulse_devices.h"

namespace patchcord {
namespace pulse {

// Control thread.
class PulseCables {
 public:
  explicit PulseCables(Connection* connection) : connection_(*connection) {}
  ~PulseCables();

  Error make(const std::string& name, const Format& format, Cable* cable);
  void remove(const std::string& render_id);
  bool owns(const std::string& render_id) const;

  // Unloads modules of ours whose connection has gone, that is whose process died. Process ids
  // would not do: they differ between containers that share a server.
  void remove_orphans();

 private:
  struct Made {
    std::string render_id;
    std::vector<uint32_t> modules;  // unloaded from the last to the first
  };

  Error load(const char* module, const std::string& argument, const Connection::Deadline& deadline,
             Made* made);
  void unload(const Made& made, const Connection::Deadline& deadline);
  Error build(const std::string& name, const Format& format, const Connection::Deadline& deadline,
              Made* made, Cable* cable);
  Error keep_output(const Connection::Deadline& deadline, ServerDefaults* defaults);
  void restore(const ServerDefaults& before, const Connection::Deadline& deadline);

  Connection& connection_;
  std::vector<Made> made_;
  Made stand_in_;  // see keep_output
  uint32_t counter_ = 0;
};

}  // namespace pulse
}  // namespace patchcord
