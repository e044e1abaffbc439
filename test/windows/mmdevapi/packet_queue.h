// The buffer of a capture stream: packets that the world's audio thread fills and the program's
// thread empties.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "../../../src/backend/backend.h"
#include "../../../src/backend/wasapi/windows_sdk.h"
#include "sample_cast.h"

namespace patchcord {

class PacketQueue final : public CaptureListener {
 public:
  struct Packet {
    std::vector<uint8_t> data;
    uint32_t frames = 0;
    int64_t position = 0;  // the device's
    uint64_t stamp = 0;    // the performance counter, in 100 ns
    DWORD flags = 0;
  };

  // Packets come in the format of `device`, and are read in `format`. No packet is longer than
  // `packet_frames`. A program that does not keep up loses the newest frames, when the buffer is
  // full to its last one, and the next packet that it gets tells.
  PacketQueue(const Format& format, const Format& device, uint32_t buffer_frames,
              uint32_t packet_frames);

  // The program's thread.
  const Packet* front() const;  // null: empty. Valid until pop().
  void pop();
  void clear();  // while the stream is stopped
  void signal_packets(HANDLE event) { event_.store(event, std::memory_order_release); }

  // The thread that fills it. A null `data` is silent.
  void put(const patchcord::Packet& packet, uint64_t stamp, DWORD flags) noexcept;
  void signal() noexcept {
    if (const HANDLE event = event_.load(std::memory_order_acquire)) SetEvent(event);
  }
  void fail(HRESULT failure) noexcept { failure_.store(failure, std::memory_order_release); }

  // Any thread.
  uint32_t frames() const { return queued_.load(std::memory_order_acquire); }
  HRESULT failure() const { return failure_.load(std::memory_order_acquire); }

 private:
  void on_packet(const patchcord::Packet& packet) noexcept override;
  void on_idle(bool) noexcept override {}  // Windows gives no event without a packet
  void on_lost(const Error& error) noexcept override;

  const size_t frame_bytes_;
  SampleCast cast_;  // the audio thread's
  const uint32_t buffer_frames_;
  std::vector<Packet> slots_;
  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> read_{0};
  std::atomic<uint32_t> queued_{0};
  std::atomic<HANDLE> event_{nullptr};
  std::atomic<HRESULT> failure_{S_OK};
  // The audio thread's.
  bool broken_ = true;  // what comes next does not continue what came before
  int64_t next_position_ = kNoPosition;
};

}  // namespace patchcord
