// The sessions of all outputs: which program plays to which output, and how loud.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "../process_tree.h"
#include "com_support.h"

namespace patchcord {

struct SessionInfo {
  uint32_t pid = 0;
  std::string device_id;
  std::string display_name;
  bool active = false;
  bool muted = false;
  float volume = 1;
  float level = kUnknownLevel;

  bool operator==(const SessionInfo& other) const;  // ignores the level
};

// Reads the sessions of all outputs, and receives announcements of new ones. One thread, in the
// multithreaded apartment.
class SessionReader {
 public:
  SessionReader();
  ~SessionReader();
  SessionReader(const SessionReader&) = delete;
  SessionReader& operator=(const SessionReader&) = delete;

  // Raised when a session is created on an output that was read.
  HANDLE created() const;
  // Without the system's own sounds and expired sessions.
  Error read(IMMDeviceEnumerator* enumerator, std::vector<SessionInfo>* sessions);

 private:
  class Announcements;
  struct Output {
    explicit Output(std::string i) : id(std::move(i)) {}

    const std::string id;
    ComPtr<IAudioSessionManager2> manager;  // it announces only while it exists
  };

  void reach(IMMDevice* device, const std::string& id);
  bool read_output(const Output& output, std::vector<SessionInfo>* sessions);
  void forget(size_t output);

  const ComPtr<Announcements> announcements_;
  std::vector<std::unique_ptr<Output>> outputs_;
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
  void want() {
    std::lock_guard<std::mutex> lock(mutex_);
    wanted_ = true;
  }
  bool wanted() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return wanted_;
  }
  bool update(const std::vector<SessionInfo>& sessions);  // returns whether anything has changed
  std::vector<SessionInfo> sessions() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return sessions_;
  }
  void add(Follower* follower);
  void remove(Follower* follower);

 private:
  mutable std::mutex mutex_;
  std::vector<SessionInfo> sessions_;
  std::vector<Follower*> followers_;
  bool wanted_ = false;
};

}  // namespace patchcord
