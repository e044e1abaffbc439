// A device that another process holds: its packets arrive as calls of this one.
#pragma once

#include <memory>
#include <mutex>

#include "../core/shown.h"
#include "backend.h"

namespace patchcord {

class PushedDevice {
 public:
  // Control thread. `device` delivers to `listener` while the stream is started. One stream at a
  // time.
  static Error open(const std::shared_ptr<PushedDevice>& device, StreamInfo info,
                    CaptureListener* listener, std::unique_ptr<Stream>* stream);

  // One thread. Packets that come while no stream is started are dropped.
  void packet(const Packet& packet) noexcept;
  void idle() noexcept;
  void show(const EndpointState& state) noexcept { state_.store(state); }

 private:
  class PushedStream;

  // Held while the listener is called: when stop() has it, no call runs.
  std::mutex mutex_;
  CaptureListener* listener_ = nullptr;
  Shown<EndpointState> state_;
};

}  // namespace patchcord
