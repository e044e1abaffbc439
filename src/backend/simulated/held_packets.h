// Packets that a device has captured and the system has not delivered yet.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "../backend.h"

namespace patchcord {

// Created by the scripting thread, with enough room; the audio thread fills and empties it.
class HeldPackets {
 public:
  HeldPackets() = default;
  HeldPackets(size_t packets, size_t bytes) : bytes_(bytes) { packets_.reserve(packets); }

  void hold_until(int64_t time) noexcept { until_ = time; }
  bool holds(int64_t now) const noexcept { return now < until_; }

  // Packets that do not fit are lost, as in a system's buffer that is full.
  void add(const Packet& packet, size_t bytes) noexcept {
    if (packets_.size() == packets_.capacity() || used_ + bytes > bytes_.size()) return;
    packets_.push_back(packet);
    if (packet.data == nullptr) return;
    std::memcpy(&bytes_[used_], packet.data, bytes);
    packets_.back().data = &bytes_[used_];
    used_ += bytes;
  }
  const std::vector<Packet>& packets() const noexcept { return packets_; }
  void clear() noexcept {
    packets_.clear();
    used_ = 0;
  }

 private:
  int64_t until_ = INT64_MIN;
  std::vector<Packet> packets_;
  std::vector<uint8_t> bytes_;
  size_t used_ = 0;
};

}  // namespace patchcord
