// Notifies listeners when endpoints change or the audio service stops.
#pragma once

#include <mutex>

#include "../backend.h"

namespace patchcord {

// Shared by a host, its COM thread and its streams: each of them reports, on its own thread, what
// it detects. Not for audio threads that still run.
class Announcer {
 public:
  // After it returns, the former listener is not called any more.
  void set_listener(DeviceListener* listener) {
    std::lock_guard<std::mutex> lock(mutex_);
    listener_ = listener;
  }

  bool is_heard() {
    std::lock_guard<std::mutex> lock(mutex_);
    return listener_ != nullptr;
  }

  void devices_changed() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (listener_ != nullptr) listener_->on_devices_changed();
  }

  void processes_changed() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (listener_ != nullptr) listener_->on_processes_changed();
  }

  // Called for every error of a call; only that of a missing service concerns the whole backend.
  void failed(const Error& error) {
    if (error.code == ErrorCode::kBackendUnavailable) backend_lost(error);
  }

  // Reports it only once: a host that lost its service is not used again.
  void backend_lost(const Error& error) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (lost_) return;
    lost_ = true;
    if (listener_ != nullptr) listener_->on_backend_lost(error);
  }

 private:
  std::mutex mutex_;
  DeviceListener* listener_ = nullptr;
  bool lost_ = false;
};

}  // namespace patchcord
