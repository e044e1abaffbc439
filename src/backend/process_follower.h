// The sound of several programs as one stream, on any system. The follower lists the programs that
// play, taps those that the selection includes, sums the taps, and reports what happens to each.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../core/graph/tap_sums.h"
#include "backend.h"
#include "process_tree.h"

namespace patchcord {

// A sound that a system can tap: a stream of a program, or all sound of a process.
struct TapTarget {
  std::string key;  // targets with the same key are the same
  // Targets with the same stream have the same sound, which another tap gets elsewhere. May be
  // empty.
  std::string stream;
  ProcessId process;      // the process that plays it
  bool others = false;    // the tap has all sound except that of `process`
  std::string device_id;  // where it plays; empty: the system does not say
  // when it was first seen to play; kNoTime: before the first look
  int64_t playing_since = kNoTime;
};

// A system, for the follower. Its methods run on the follower's thread, and on the control thread
// while that thread does not run, unless a comment says otherwise.
class TapSystem {
 public:
  class Listener {
   public:
    virtual void on_programs_changed() noexcept = 0;  // any thread: only takes note

   protected:
    ~Listener() = default;
  };
  struct Traits {
    ThreadPriority::Answer realtime;  // of the audio threads of its taps
    // list() and attach() do not wait for another process. The first look is then part of start(),
    // which fails if nothing of the selection can be captured.
    bool answers_at_once = false;
    bool metered = false;  // state() changes without an announcement
  };
  struct Player {
    ProcessId process;
    std::string device_id;

    bool operator==(const Player& other) const {
      return process == other.process && device_id == other.device_id;
    }
  };
  struct Listing {
    std::vector<TapTarget> targets;
    // The programs that a target of `others` contains; the tap itself does not report them.
    std::vector<Player> players;
  };

  virtual ~TapSystem() = default;
  virtual Traits traits() const = 0;
  // Control thread. `listener` is called for changes from begin() until end() has returned.
  virtual Error begin(Listener* listener) = 0;
  virtual void end() = 0;  // also called if begin() failed
  // Control thread: until the next begin(), list() and attach() no longer wait for the system.
  virtual void interrupt() noexcept {}

  // The targets of the selection that can be tapped now. An error of kBackendUnavailable ends the
  // stream; after any other one the follower tries again.
  virtual Error list(const ProcessTable& table, ProcessSelector* selector, int64_t now,
                     Listing* listing) = 0;
  // Opens the tap, stopped. Errors are as list()'s.
  virtual Error attach(const TapTarget& target, CaptureListener* listener,
                       std::unique_ptr<Stream>* stream) = 0;
  // The state of the programs in the last list, or of those that one of its targets contains.
  virtual EndpointState state(const TapTarget* target) = 0;
};

// Control thread. `sums` outlives the stream. The system is not queried before start().
std::unique_ptr<ProcessStream> follow_processes(std::unique_ptr<TapSystem> system, TapSums* sums,
                                                const ProcessCaptureRequest& request,
                                                CaptureListener* listener, TapListener* taps);

}  // namespace patchcord
