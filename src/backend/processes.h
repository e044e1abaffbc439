// Programs that make sound or capture it, in the terms of the contract.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "../core/error.h"

namespace patchcord {

// Identifies a process even if a later one gets the same number. `start_time` counts from an origin
// chosen by the system and is compared for equality only. It is 0 or negative for a process that
// this system cannot see (in a container, on another machine): two of these may report one number.
struct ProcessId {
  uint32_t pid = 0;
  int64_t start_time = 0;

  bool operator==(const ProcessId& other) const {
    return pid == other.pid && start_time == other.start_time;
  }
  bool operator!=(const ProcessId& other) const { return !(*this == other); }
  bool operator<(const ProcessId& other) const {
    return pid != other.pid ? pid < other.pid : start_time < other.start_time;
  }
};

// kSilent: it runs and has no stream. kInactive: it has streams, all of them halted.
enum class ProcessState : uint8_t { kSilent, kInactive, kActive };

constexpr float kUnknownLevel = std::numeric_limits<float>::quiet_NaN();

struct ProcessInfo {
  ProcessId id;
  ProcessId root;                    // of the application that it belongs to
  std::vector<ProcessId> ancestors;  // nearest first
  std::string name;                  // of the executable file
  std::string path;                  // empty if it cannot be read
  std::string display_name;          // the name that the program shows to users
  ProcessState state = ProcessState::kSilent;
  float level = kUnknownLevel;  // peak, linear
  float volume = 1;             // linear, 0..1; above 1 where the system amplifies
  bool muted = false;
  std::vector<std::string> device_ids;  // outputs that it plays to, or inputs that it captures
  // The host, and the number there, that a process reports which this system cannot see. Its id
  // changes when it connects to the server again; this does not. Empty for other processes.
  std::string origin;
};

// The selection of processes to capture. For a process, the nearest named one among itself and its
// ancestors decides; if none is named, it is included if `everything` is set.
struct ProcessSelection {
  bool everything = false;
  std::vector<ProcessId> include;
  std::vector<ProcessId> exclude;
};

// An event of one process's sound in a process stream.
struct TapEvent {
  // kAttached: its sound arrives from `time` on. kDetached: no longer. kGone: an included root has
  // ended, and all captured processes of its tree. kFailed: it cannot be captured; `error` says
  // why. kDead: it is captured and delivers zeros, while its own meter moves. kAlive: no longer.
  enum class Kind : uint8_t { kAttached, kDetached, kGone, kFailed, kDead, kAlive };
  Kind kind = Kind::kAttached;
  ProcessId process;
  std::string device_id;  // where it plays; empty if the system does not report that
  int64_t time = 0;
  int64_t missed_ns = 0;  // kAttached: for how long it had been playing before it was captured
  Error error;
};

// Called on a thread of the backend other than audio threads; may lock and allocate, must not wait.
class TapListener {
 public:
  virtual void on_tap(const TapEvent& event) noexcept = 0;

 protected:
  ~TapListener() = default;
};

}  // namespace patchcord
