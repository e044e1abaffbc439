#include "packet_reader.h"

#include "stamps.h"

namespace patchcord {
namespace {

// An exclusive stream that has had no buffer for so long will not get one any more. Periods are at
// most 500 ms.
constexpr int64_t kLongestWithout = 2 * kNsPerSecond;

}  // namespace

CallResult PacketReader::open(IAudioClient* client, uint32_t buffer_frames, StreamTrace* trace) {
  trace_ = trace;
  buffer_frames_ = buffer_frames;
  return {client->GetService(__uuidof(IAudioCaptureClient), capture_.receive()),
          "IAudioClient::GetService(IAudioCaptureClient)"};
}

CallResult PacketReader::drain(Gate* gate, uint32_t* drained) noexcept {
  while (*drained <= buffer_frames_) {
    BYTE* data = nullptr;
    UINT32 frames = 0;
    DWORD flags = 0;
    UINT64 position = 0;
    UINT64 stamp = 0;
    HRESULT result = capture_->GetBuffer(&data, &frames, &flags, &position, &stamp);
    if (trace_ != nullptr) {
      trace_->note({TraceRecord::Kind::kBuffer, false, result, frames, flags, position, stamp});
    }
    if (result == AUDCLNT_S_BUFFER_EMPTY || result == AUDCLNT_E_BUFFER_OPERATION_PENDING) break;
    // In exclusive mode this code means that the buffer was requested too early; the next pass may
    // get it.
    if (result == AUDCLNT_E_BUFFER_ERROR && exclusive_) {
      const int64_t now = real_clock().now();
      if (without_ == 0) without_ = now;
      if (now - without_ < kLongestWithout) break;
    }
    if (result == AUDCLNT_E_OUT_OF_ORDER) {
      // The last release had no effect.
      result = capture_->ReleaseBuffer(held_);
      if (FAILED(result)) return {result, "IAudioCaptureClient::ReleaseBuffer"};
      break;
    }
    if (FAILED(result)) return {result, "IAudioCaptureClient::GetBuffer"};
    held_ = frames;
    without_ = 0;
    if (frames > 0) deliver(gate, data, frames, flags, position, stamp);
    capture_->ReleaseBuffer(frames);
    if (frames == 0) break;
    *drained += frames;
  }
  return {};
}

CallResult PacketReader::ask() noexcept {
  UINT32 frames = 0;
  return {capture_->GetNextPacketSize(&frames), "IAudioCaptureClient::GetNextPacketSize"};
}

void PacketReader::deliver(Gate* gate, const BYTE* data, UINT32 frames, DWORD flags,
                           UINT64 position, UINT64 stamp) noexcept {
  Packet packet;
  // If the packet is flagged as silent, the memory holds old data.
  packet.data = (flags & AUDCLNT_BUFFERFLAGS_SILENT) != 0 ? nullptr : data;
  packet.frames = frames;
  packet.position = positions_ ? static_cast<int64_t>(position) : kNoPosition;
  packet.time = (flags & AUDCLNT_BUFFERFLAGS_TIMESTAMP_ERROR) != 0 ? kNoTime : stamp_time(stamp);
  // The flag is undefined on the first packet.
  packet.discontinuity = !first_ && (flags & AUDCLNT_BUFFERFLAGS_DATA_DISCONTINUITY) != 0;
  first_ = false;
  if (const Gate::Pass pass(gate); pass) listener_.on_packet(packet);
}

}  // namespace patchcord
