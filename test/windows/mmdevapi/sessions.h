// The audio sessions of devices: one for each program that plays or captures there, and the
// system's own sounds.
#pragma once

#include <audiopolicy.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../../../src/backend/simulated/world.h"
#include "callbacks.h"
#include "process_taps.h"

namespace patchcord {

// Null is a group like others.
inline GUID guid_of(LPCGUID given) { return given == nullptr ? GUID{} : *given; }

struct Session {
  const std::string output;  // the world's id
  const uint32_t pid;        // ProcessTaps::kNobody: the system sounds
  const GUID group;          // each is a session of its program
  const std::string key;     // of listeners

  // Guarded by the Sessions.
  AudioSessionState state = AudioSessionStateInactive;
  float volume = 1.0f;
  bool muted = false;
  bool is_protected = false;  // process loopback gets zeros of it, its meter moves
  std::wstring name{};        // empty, as most programs leave it
  SignalPtr signal{};         // what it plays, before its volume
  int64_t began_ns = 0;       // when
};
using SessionPtr = std::shared_ptr<Session>;

// Any thread.
class Sessions {
 public:
  Sessions(World* world, ProcessTaps* taps, CallbackThread* thread)
      : events(thread), created(thread), world_(world), taps_(taps) {}

  // A program plays on an output, or (null) stops; its session becomes active, or inactive.
  Error play(const std::string& output, uint32_t pid, const SignalPtr& signal);
  Error stop_all(const std::string& output);
  // A program captures an input, or halts its stream.
  void capture(const std::string& input, uint32_t pid, bool running) {
    set_active(find_or_make(input, pid), running);
  }
  // A program is gone: its sessions are expired, as long as they are referenced.
  void end(uint32_t pid);
  // A program that plays through this library itself.
  SessionPtr own(const std::string& output, const GUID& group);
  void set_active(const SessionPtr& session, bool active);

  // The sessions that are not expired; the system sounds are always there.
  std::vector<SessionPtr> of(const std::string& output);
  Session look(const SessionPtr& session) const;
  // Heard at once: muted, a program is silent for process loopback too.
  Error set_volume(const SessionPtr& session, float volume, bool muted, const GUID& context);
  Error protect(const SessionPtr& session, bool is_protected);
  void set_name(const SessionPtr& session, const std::wstring& name, const GUID& context);
  std::vector<SessionPtr> of(const std::string& output, uint32_t pid) const;  // a program's
  // Peak of what it plays now.
  float peak(const SessionPtr& session) const;

  void disconnect(const std::string& output, AudioSessionDisconnectReason reason);

  Listeners<IAudioSessionEvents> events;         // by session
  Listeners<IAudioSessionNotification> created;  // by output

 private:
  SessionPtr find_or_make(const std::string& output, uint32_t pid, const GUID& group = {});
  void tell_state(const SessionPtr& session, AudioSessionState state);
  Error sound(const SessionPtr& session);

  World* const world_;
  ProcessTaps* const taps_;
  mutable std::mutex mutex_;
  std::vector<SessionPtr> sessions_;
};

}  // namespace patchcord
