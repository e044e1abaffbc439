// The sessions of all devices: which program plays or captures on which device, and how loud.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "../backend.h"
#include "../process_tree.h"
#include "com_support.h"

namespace patchcord {

struct SessionInfo {
  uint32_t pid = 0;
  Flow flow = Flow::kOutput;
  std::string device_id;
  std::string display_name;
  bool active = false;
  bool muted = false;
  float volume = 1;
  float level = kUnknownLevel;

  bool operator==(const SessionInfo& other) const;  // ignores the level
};

// Reads the sessions of all outputs or inputs, and receives announcements of new ones. One thread,
// in the multithreaded apartment.
class SessionReader {
 public:
  SessionReader();
  ~SessionReader();
  SessionReader(const SessionReader&) = delete;
  SessionReader& operator=(const SessionReader&) = delete;

  // Raised when a session is created on a device that was read.
  HANDLE created() const;
  // Without the system's own sounds and expired sessions.
  Error read(IMMDeviceEnumerator* enumerator, Flow flow, std::vector<SessionInfo>* sessions);

 private:
  class Announcements;
  struct Endpoint {
    const Flow flow;
    const std::string id;
    ComPtr<IAudioSessionManager2> manager;  // it announces only while it exists
  };

  void reach(IMMDevice* device, Flow flow, const std::string& id);
  bool read_endpoint(const Endpoint& endpoint, std::vector<SessionInfo>* sessions);
  void forget(size_t endpoint);

  const ComPtr<Announcements> announcements_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
};

// A process that is not visible is known only by its number.
Ancestry process_of(const ProcessTable& table, uint32_t pid);
std::vector<ProcessInfo> to_processes(const ProcessTable& table,
                                      const std::vector<SessionInfo>& sessions, bool running);

// The last reading of the host's COM thread, for readers on other threads.
class SessionBoard {
 public:
  class Follower {
   public:
    virtual void on_sessions_changed() noexcept = 0;  // may only take note

   protected:
    ~Follower() = default;
  };

  // Any thread.
  void want(Flow flow) {
    std::lock_guard<std::mutex> lock(mutex_);
    (flow == Flow::kOutput ? outputs_wanted_ : inputs_wanted_) = true;
  }
  bool wanted(Flow flow) const {
    std::lock_guard<std::mutex> lock(mutex_);
    return flow == Flow::kOutput ? outputs_wanted_ : inputs_wanted_;
  }
  bool update(const std::vector<SessionInfo>& sessions);  // returns whether anything has changed
  std::vector<SessionInfo> playing() const {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<SessionInfo> playing;
    for (const SessionInfo& session : sessions_) {
      if (session.flow == Flow::kOutput) playing.push_back(session);
    }
    return playing;
  }
  void add(Follower* follower);
  void remove(Follower* follower);

 private:
  mutable std::mutex mutex_;
  std::vector<SessionInfo> sessions_;
  std::vector<Follower*> followers_;
  bool outputs_wanted_ = false;
  bool inputs_wanted_ = false;
};

}  // namespace patchcord
