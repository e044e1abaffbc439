#include "sessions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "session_objects.h"

namespace patchcord {
namespace {

std::string program_name(uint32_t pid) {
  return pid == ProcessTaps::kNobody ? std::string() : std::to_string(pid);
}

}  // namespace

std::vector<SessionPtr> Sessions::of(const std::string& output, uint32_t pid) const {
  std::vector<SessionPtr> found;
  std::lock_guard<std::mutex> lock(mutex_);
  for (const SessionPtr& session : sessions_) {
    if (session->output == output && session->pid == pid &&
        session->state != AudioSessionStateExpired) {
      found.push_back(session);
    }
  }
  return found;
}

SessionPtr Sessions::find_or_make(const std::string& output, uint32_t pid, const GUID& group) {
  for (const SessionPtr& found : of(output, pid)) {
    if (IsEqualGUID(found->group, group)) return found;
  }
  SessionPtr made;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const std::string key =
        output + "|" + std::to_string(pid) + "|" + std::to_string(sessions_.size());
    made = std::make_shared<Session>(Session{output, pid, group, key});
    sessions_.push_back(made);
  }
  if (pid != ProcessTaps::kNobody) {
    created.tell(output, [made](IAudioSessionNotification* listener) {
      const ComPtr<SessionControl> control(new SessionControl(made));
      listener->OnSessionCreated(control.get());
    });
  }
  return made;
}

Error Sessions::sound(const SessionPtr& session) {
  const Session now = look(session);
  SignalPtr heard = now.signal;
  if (heard != nullptr && now.muted) {
    heard = silence();
  } else if (heard != nullptr && now.volume != 1.0f) {
    heard = scaled(heard, now.volume);
  }
  if (Error error = world_->play(now.output, heard, program_name(now.pid))) return error;
  taps_->play(now.output, now.pid, heard != nullptr && now.is_protected ? silence() : heard);
  return Error::none();
}

Error Sessions::play(const std::string& output, uint32_t pid, const SignalPtr& signal) {
  const SessionPtr session = find_or_make(output, pid);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    session->signal = signal;
    session->began_ns = world_->clock().now();
  }
  if (Error error = sound(session)) return error;
  set_active(session, signal != nullptr);
  return Error::none();
}

Error Sessions::stop_all(const std::string& output) {
  for (const SessionPtr& session : of(output)) {
    if (Error error = play(output, session->pid, nullptr)) return error;
  }
  return world_->stop(output);
}

void Sessions::end(uint32_t pid) {
  std::vector<SessionPtr> ended;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const SessionPtr& session : sessions_) {
      if (session->pid != pid || session->state == AudioSessionStateExpired) continue;
      session->signal = nullptr;
      ended.push_back(session);
    }
  }
  for (const SessionPtr& session : ended) {
    sound(session);
    tell_state(session, AudioSessionStateExpired);
  }
}

SessionPtr Sessions::own(const std::string& output, const GUID& group) {
  return find_or_make(output, GetCurrentProcessId(), group);
}

void Sessions::set_active(const SessionPtr& session, bool active) {
  tell_state(session, active ? AudioSessionStateActive : AudioSessionStateInactive);
}

void Sessions::tell_state(const SessionPtr& session, AudioSessionState state) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (std::exchange(session->state, state) == state) return;
  }
  events.tell(session->key,
              [state](IAudioSessionEvents* listener) { listener->OnStateChanged(state); });
}

std::vector<SessionPtr> Sessions::of(const std::string& output) {
  find_or_make(output, ProcessTaps::kNobody);
  std::vector<SessionPtr> found;
  std::lock_guard<std::mutex> lock(mutex_);
  for (const SessionPtr& session : sessions_) {
    if (session->output == output && session->state != AudioSessionStateExpired) {
      found.push_back(session);
    }
  }
  return found;
}

Session Sessions::look(const SessionPtr& session) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return *session;
}

Error Sessions::set_volume(const SessionPtr& session, float volume, bool muted,
                           const GUID& context) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    session->volume = volume;
    session->muted = muted;
  }
  events.tell(session->key, [volume, muted, context](IAudioSessionEvents* listener) {
    listener->OnSimpleVolumeChanged(volume, muted, &context);
  });
  return look(session).signal == nullptr ? Error::none() : sound(session);
}

Error Sessions::protect(const SessionPtr& session, bool is_protected) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    session->is_protected = is_protected;
  }
  return look(session).signal == nullptr ? Error::none() : sound(session);
}

void Sessions::set_name(const SessionPtr& session, const std::wstring& name, const GUID& context) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    session->name = name;
  }
  events.tell(session->key, [name, context](IAudioSessionEvents* listener) {
    listener->OnDisplayNameChanged(name.c_str(), &context);
  });
}

float Sessions::peak(const SessionPtr& session) const {
  const Session now = look(session);
  if (now.signal == nullptr || now.muted) return 0;
  constexpr uint32_t kRate = 48000;
  constexpr uint32_t kFrames = kRate / 100;
  constexpr uint32_t kChannels = 2;
  std::array<float, kFrames * kChannels> samples{};
  const int64_t position = (world_->clock().now() - now.began_ns) / (kNsPerSecond / kRate);
  now.signal->add({samples.data(), kFrames, kChannels, kRate, position, 0});
  float peak = 0;
  for (const float sample : samples) peak = std::max(peak, std::fabs(sample));
  return peak * now.volume;
}

void Sessions::disconnect(const std::string& output, AudioSessionDisconnectReason reason) {
  for (const SessionPtr& session : of(output)) {
    events.tell(session->key, [reason](IAudioSessionEvents* listener) {
      listener->OnSessionDisconnected(reason);
    });
    tell_state(session, AudioSessionStateExpired);
  }
}

}  // namespace patchcord
