// Programs that make sound, as the contract speaks of them.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "../core/error.h"

namespace patchcord {

// A process and no later one that got the same number. `start_time` counts from an origin of the
// system's own and is compared for equality only; 0: of a process that this system cannot see (in a
// container, on another machine).
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
  std::string path;                  // empty where it cannot be read
  std::string display_name;          // as the program calls itself
  ProcessState state = ProcessState::kSilent;
  float level = kUnknownLevel;  // peak, linear
  float volume = 1;             // linear, 0..1; above 1 where the system amplifies
  bool muted = false;
  std::vector<std::string> device_ids;  // outputs that it plays to
};

struct ProcessQuery {
  bool running = false;  // all that run, not only those that have a stream
  bool levels = false;   // where levels take time to measure (some 100 ms at the first call)
};

// Whose sound is wanted. Of a process's roots, itself and its ancestors, the nearest that is named
// decides; one that has none is wanted if `everything` is.
struct ProcessSelection {
  bool everything = false;
  std::vector<ProcessId> include;
  std::vector<ProcessId> exclude;
};

// What became of one process's sound in a process stream.
struct TapEvent {
  // kAttached: it is heard from `time` on. kDetached: no more. kGone: an included root has ended,
  // and all of its tree that was heard. kFailed: it is not heard, `error` says why.
  enum class Kind : uint8_t { kAttached, kDetached, kGone, kFailed };
  Kind kind = Kind::kAttached;
  ProcessId process;
  std::string device_id;  // where it plays; empty where the system does not tell
  int64_t time = 0;
  int64_t missed_ns = 0;  // kAttached: how long it had been playing, unheard, since it began
  Error error;
};

// Called on a thread of the backend that is no audio thread; may lock and allocate, must not wait.
class TapListener {
 public:
  virtual void on_tap(const TapEvent& event) noexcept = 0;

 protected:
  ~TapListener() = default;
};

}  // namespace patchcord
