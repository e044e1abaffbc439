// The sound of each simulated program, for process loopback.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../../../src/backend/simulated/world.h"

namespace patchcord {

// Process loopback is no endpoint: it has the caller's format, no device position, and a clock that
// belongs to none of the devices. So each tap is an output of a second world, one that nothing
// lists, which plays what the programs play that the tap hears.
class ProcessTaps {
 public:
  static constexpr uint32_t kNobody = 0;  // sound of no process: in nobody's tree

  enum class Mode { kIncludeTree, kExcludeTree };
  // While nothing plays some systems deliver no packets, others such as are flagged silent.
  enum class Silence { kNone, kPackets };

  ProcessTaps();

  // Any thread.
  void set_parent(uint32_t pid, uint32_t parent);
  void set_silence(Silence silence);
  void service(bool runs);  // without it the taps that there are end
  void play(const std::string& output, uint32_t pid, SignalPtr signal);  // null: stops
  Error open(uint32_t pid, Mode mode, const Format& format, CaptureListener* listener,
             std::unique_ptr<Stream>* stream);

 private:
  class TapStream;
  struct Sound {
    std::string output;
    uint32_t pid;
    SignalPtr signal;
  };
  struct Tap {
    std::string id;
    uint32_t pid;
    Mode mode;
  };

  // With mutex_ held.
  void update();
  bool hears(const Tap& tap, uint32_t pid) const;
  bool is_in_tree(uint32_t pid, uint32_t root) const;

  void close(const std::string& id);

  std::shared_ptr<World> world_;
  std::mutex mutex_;
  std::map<uint32_t, uint32_t> parents_;
  std::vector<Sound> sounds_;
  std::vector<Tap> taps_;
  Silence silence_ = Silence::kNone;
  uint64_t taps_made_ = 0;
};

}  // namespace patchcord
