// Makes microphones and outputs from modules of the server. A microphone is a null sink to play to,
// and a source remapped from its monitor, which other programs list as a microphone (browsers hide
// plain monitors). An output is a null sink alone; its monitor is recorded like that of any output.
#pragma once

#include <string>
#include <vector>

#include "../backend.h"
#include "cable_name.h"
#include "program_streams.h"
#include "pulse_connection.h"
#include "pulse_devices.h"
#include "pulse_events.h"

namespace patchcord {
namespace pulse {

// Control thread.
class PulseCables final : private PulseEvents::SinkListener {
 public:
  PulseCables(Connection* connection, PulseEvents* events)
      : connection_(*connection), events_(*events) {}
  ~PulseCables();

  Error make(const std::string& name, const Format& format, Cable* cable);
  Error make_speaker(const std::string& name, const Format& format, std::string* output_id);
  void remove(const std::string& render_id);
  bool owns(const std::string& render_id) const;
  // Moves the streams to the output for other programs: the default, unless that is one of ours.
  Error move_elsewhere(const std::vector<ProgramStream>& inputs);

  // Unloads modules of ours whose connection is gone, because their process died. Process ids would
  // not serve: they differ between containers that share a server.
  void remove_orphans();

 private:
  struct Made {
    std::string render_id;
    std::vector<uint32_t> modules;  // unloaded from the last to the first
  };
  enum class Kind : uint8_t { kMicrophone, kSpeaker };
  enum class Naming : uint8_t { kNotThere, kOurs, kTaken };

  Error load(const char* module, const std::string& argument, const Connection::Deadline& deadline,
             Made* made);
  Error make_kind(Kind kind, const std::string& name, const Format& format, Cable* cable);
  Error load_sink(const std::string& id, const std::string& label, const Format& format,
                  const Connection::Deadline& deadline, Made* made);
  Error load_source(const CableName& name, const Format& format,
                    const Connection::Deadline& deadline, Made* made);
  std::string mark() const;  // the property that marks a module as ours
  Error see(Flow flow, const Made& made, const std::string& name,
            const Connection::Deadline& deadline, Naming* naming, PulseDevice* device);
  void unload(const Made& made, const Connection::Deadline& deadline);
  Error build(Kind kind, const std::string& wanted, const Format& format,
              const Connection::Deadline& deadline, Made* made, Cable* cable);
  Error output_for_others(const Connection::Deadline& deadline, std::string* name);
  Error keep_output(const Connection::Deadline& deadline, ServerDefaults* defaults);
  void restore(const ServerDefaults& before, const Connection::Deadline& deadline);
  static Naming naming_of(const std::vector<PulseDevice>& devices, uint32_t module,
                          const std::string& name, PulseDevice* made);
  // The answering thread, under the lock.
  void on_sink_added(uint32_t index) noexcept override;
  static void on_added_sink(pa_context*, const pa_device_info* info, int end, void* self);
  void unload_all(const Connection::Deadline& deadline);
  void leave(int64_t limit_ns);
  static void at_exit();

  Connection& connection_;
  PulseEvents& events_;
  // Under the lock.
  std::vector<Made> made_;
  Made stand_in_;                     // see keep_output
  std::vector<pa_operation*> looks_;  // at sinks that were added
  bool making_ = false;
  bool leaving_ = false;  // the process exits: no more devices are made
};

}  // namespace pulse
}  // namespace patchcord
