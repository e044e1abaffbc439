// Fetches captured packets from a client of WASAPI.
#pragma once

#include "../backend.h"
#include "com_support.h"
#include "gate.h"
#include "trace.h"

namespace patchcord {

// Used by one audio thread from open to end.
class PacketReader {
 public:
  // `positions`: the client counts frames; the count of process loopback stays 0. `exclusive`: the
  // client has one buffer for each signal, and none in between.
  PacketReader(CaptureListener* listener, bool positions, bool exclusive)
      : listener_(*listener), positions_(positions), exclusive_(exclusive) {}

  // `trace` may be nullptr.
  CallResult open(IAudioClient* client, uint32_t buffer_frames, StreamTrace* trace);
  // One wake-up may stand for several packets or for none. Stops after a buffer's worth, so that a
  // device that never reports an empty queue cannot keep the thread. The listener is called inside
  // `gate`.
  CallResult drain(Gate* gate, uint32_t* drained) noexcept;
  // Fails if the stream is gone, even if it delivers nothing.
  CallResult ask() noexcept;

 private:
  void deliver(Gate* gate, const BYTE* data, UINT32 frames, DWORD flags, UINT64 position,
               UINT64 stamp) noexcept;

  CaptureListener& listener_;
  const bool positions_;
  const bool exclusive_;
  ComPtr<IAudioCaptureClient> capture_;
  StreamTrace* trace_ = nullptr;
  uint32_t buffer_frames_ = 0;
  uint32_t held_ = 0;  // frames of the last GetBuffer
  // since when an exclusive stream has had no buffer; 0: the last pass got one
  int64_t without_ = 0;
  bool first_ = true;
};

}  // namespace patchcord
