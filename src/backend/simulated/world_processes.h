// The programs of a simulated system: what they are, what they play to which output, which inputs
// they capture, which streams capture them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../backend.h"
#include "../process_tree.h"
#include "card.h"
#include "signal.h"

namespace patchcord {

class World;

struct ProcessDescription {
  uint32_t pid = 0;
  uint32_t parent = 0;
  std::string name;
  std::string path;          // empty: the name
  std::string display_name;  // empty: the name
  // Its meter moves, but a stream of this process alone gets zeros.
  bool is_protected = false;
  bool denied = false;  // a stream of this process alone is refused
};

// The methods work as a World's. An unknown process is kProcessNotFound.
class WorldProcesses {
 public:
  explicit WorldProcesses(World* world) : world_(*world) {}

  Error begin(const ProcessDescription& process);  // its pid must be free
  Error end(uint32_t pid);                         // it stops playing; its number may be used again
  // Plays one signal on each output; null ends it.
  Error play(uint32_t pid, const std::string& output, SignalPtr signal);
  Error capture(uint32_t pid, const std::string& input, bool captures);  // begins or ends it
  Error move(uint32_t pid, const std::string& output);  // moves everything that it plays
  Error set_volume(uint32_t pid, double volume);
  Error mute(uint32_t pid, bool muted);
  Error protect(uint32_t pid, bool is_protected);
  Error deny(uint32_t pid, bool denied);
  // Like World::delay, for all streams that include it.
  Error delay(uint32_t pid, int64_t by_ns);
  // For streams of processes: while nothing plays, packets flagged silent, or none.
  void set_idle_silence(bool packets);

  Error list(const ProcessQuery& query, std::vector<ProcessInfo>* processes) const;
  Error open(const ProcessCaptureRequest& request, CaptureListener* listener, TapListener* taps,
             std::unique_ptr<ProcessStream>* stream);
  void lose(const Error& error);  // every stream of processes

 private:
  class Table;
  class Tap;
  struct Sound {
    std::string output;
    SignalPtr signal;
    int64_t began_ns;
  };
  struct Process {
    ProcessRecord record;
    std::string display_name;
    bool is_protected = false;
    bool denied = false;
    bool muted = false;
    double volume = 1;
    std::vector<Sound> sounds;
    std::vector<std::string> inputs;  // that it captures
  };

  // With mutex_ held.
  Error find(uint32_t pid, Process** process);
  template <class Change>
  Error script(uint32_t pid, Change change);
  Error sound(const Process& process, const Sound& sound);
  void update();
  float level(const Process& process) const;

  World& world_;
  mutable std::mutex mutex_;  // taken before the world's own
  std::map<uint32_t, Process> processes_;
  std::vector<Tap*> taps_;
  bool idle_silence_ = false;
  int64_t begun_ = 0;
  uint64_t taps_made_ = 0;
};

}  // namespace patchcord
