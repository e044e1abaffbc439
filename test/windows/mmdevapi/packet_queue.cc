#include "packet_queue.h"

#include <algorithm>
#include <cstring>

#include "../../../src/backend/wasapi/formats.h"
#include "results.h"

namespace patchcord {
namespace {

// Behind the silent flag Windows leaves whatever was there. Here it is loud in every format, so
// that a program that plays it is found out.
constexpr uint8_t kUndefined = 0x3F;

}  // namespace

PacketQueue::PacketQueue(const Format& format, const Format& device, uint32_t buffer_frames,
                         uint32_t packet_frames)
    : frame_bytes_(bytes_per_frame(format)),
      cast_(device, format, packet_frames),
      buffer_frames_(buffer_frames),
      // A loss in its middle makes two packets of one.
      slots_(2 * (buffer_frames / packet_frames + 2)) {
  for (Packet& slot : slots_) slot.data.resize(packet_frames * frame_bytes_);
}

const PacketQueue::Packet* PacketQueue::front() const {
  const uint64_t read = read_.load(std::memory_order_relaxed);
  if (read == written_.load(std::memory_order_acquire)) return nullptr;
  return &slots_[read % slots_.size()];
}

void PacketQueue::pop() {
  const uint64_t read = read_.load(std::memory_order_relaxed);
  queued_.fetch_sub(slots_[read % slots_.size()].frames, std::memory_order_acq_rel);
  read_.store(read + 1, std::memory_order_release);
}

void PacketQueue::clear() {
  while (front() != nullptr) pop();
}

// The world's audio thread.
void PacketQueue::on_packet(const patchcord::Packet& packet) noexcept {
  // Windows sets it on the first packet, and where the position jumps.
  const bool jumps = next_position_ != kNoPosition && packet.position != next_position_;
  DWORD flags = jumps || packet.discontinuity ? AUDCLNT_BUFFERFLAGS_DATA_DISCONTINUITY : 0;
  if (packet.time == kNoTime) flags |= AUDCLNT_BUFFERFLAGS_TIMESTAMP_ERROR;
  if (packet.data == nullptr) flags |= AUDCLNT_BUFFERFLAGS_SILENT;
  const uint64_t stamp =
      packet.time == kNoTime ? 0 : static_cast<uint64_t>(packet.time / kNsPerReference);
  put(packet, stamp, flags);
  signal();
}

void PacketQueue::put(const patchcord::Packet& packet, uint64_t stamp, DWORD flags) noexcept {
  const uint64_t written = written_.load(std::memory_order_relaxed);
  const bool full = written - read_.load(std::memory_order_acquire) == slots_.size();
  const uint32_t taken = full ? 0 : std::min(packet.frames, buffer_frames_ - frames());
  if (taken > 0) {
    Packet& slot = slots_[written % slots_.size()];
    slot.frames = taken;
    slot.position = packet.position;
    slot.stamp = stamp;
    next_position_ = packet.position + taken;
    slot.flags = flags | (broken_ ? AUDCLNT_BUFFERFLAGS_DATA_DISCONTINUITY : 0);
    broken_ = false;
    const size_t bytes = taken * frame_bytes_;
    if (packet.data == nullptr) {
      std::memset(slot.data.data(), kUndefined, bytes);
    } else {
      cast_.process(packet.data, slot.data.data(), taken);
    }
    queued_.fetch_add(taken, std::memory_order_acq_rel);
    written_.store(written + 1, std::memory_order_release);
  }
  if (taken < packet.frames) broken_ = true;
}

// As the unkinder drivers do it: the event never fires again, only calls tell.
void PacketQueue::on_lost(const Error& error) noexcept { fail(to_result(error)); }

}  // namespace patchcord
