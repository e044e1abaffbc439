#include "render_buffer.h"

#include <algorithm>
#include <cstring>

#include "results.h"

namespace patchcord {
namespace {

uint8_t zero_of(const Format& format) {
  return format.sample_format == SampleFormat::kU8 ? 0x80 : 0x00;
}

}  // namespace

RenderBuffer::RenderBuffer(const Format& format, const Format& device, uint32_t buffer_frames)
    : format_(format),
      frame_bytes_(bytes_per_frame(format)),
      device_frame_bytes_(bytes_per_frame(device)),
      device_zero_(zero_of(device)),
      buffer_frames_(buffer_frames),
      cast_(format, device, buffer_frames),
      ring_(buffer_frames * frame_bytes_),
      staging_(buffer_frames * frame_bytes_) {}

void RenderBuffer::commit(uint32_t frames, bool silent) {
  if (silent) std::memset(staging_.data(), zero_of(format_), frames * frame_bytes_);
  const uint64_t written = written_.load(std::memory_order_relaxed);
  for (uint32_t done = 0; done < frames;) {
    const uint32_t at = static_cast<uint32_t>((written + done) % buffer_frames_);
    const uint32_t run = std::min(frames - done, buffer_frames_ - at);
    std::memcpy(&ring_[at * frame_bytes_], &staging_[done * frame_bytes_], run * frame_bytes_);
    done += run;
  }
  written_.store(written + frames, std::memory_order_release);
}

void RenderBuffer::clear() {
  written_.store(0, std::memory_order_relaxed);
  played_.store(0, std::memory_order_relaxed);
  last_position_.store(0, std::memory_order_relaxed);
  heard_.store({});
}

uint32_t RenderBuffer::padding() const {
  // Read in this order the difference is never negative.
  const uint64_t played = played_.load(std::memory_order_acquire);
  return static_cast<uint32_t>(written_.load(std::memory_order_acquire) - played);
}

uint64_t RenderBuffer::position_at(int64_t now) {
  const uint64_t taken = played_.load(std::memory_order_acquire);
  const Anchor anchor = heard_.load();
  uint64_t position = 0;
  if (!running_.load(std::memory_order_acquire)) {
    position = taken;
  } else if (anchor.rate != 0) {
    const double frame = anchor.frame_at(static_cast<double>(now));
    position = static_cast<uint64_t>(std::clamp(frame, 0.0, static_cast<double>(taken)));
  }
  uint64_t last = last_position_.load(std::memory_order_relaxed);
  while (last < position && !last_position_.compare_exchange_weak(last, position)) {
  }
  return std::max(last, position);
}

// The world's audio thread.
void RenderBuffer::on_render(void* data, uint32_t frames, int64_t play_time) noexcept {
  const uint64_t played = played_.load(std::memory_order_relaxed);
  const uint64_t ready = written_.load(std::memory_order_acquire) - played;
  const uint32_t taken = static_cast<uint32_t>(std::min<uint64_t>(ready, frames));
  uint8_t* const out = static_cast<uint8_t*>(data);
  for (uint32_t done = 0; done < taken;) {
    const uint32_t at = static_cast<uint32_t>((played + done) % buffer_frames_);
    const uint32_t run = std::min(taken - done, buffer_frames_ - at);
    cast_.process(&ring_[at * frame_bytes_], out + done * device_frame_bytes_, run);
    done += run;
  }
  std::memset(out + taken * device_frame_bytes_, device_zero_,
              (frames - taken) * device_frame_bytes_);
  if (play_time != kNoTime && taken > 0) {
    heard_.store({static_cast<double>(played), static_cast<double>(play_time),
                  static_cast<double>(format_.sample_rate)});
  }
  played_.store(played + taken, std::memory_order_release);
  if (const HANDLE event = event_.load(std::memory_order_acquire)) SetEvent(event);
}

void RenderBuffer::on_lost(const Error& error) noexcept {
  failure_.store(to_result(error), std::memory_order_release);
}

}  // namespace patchcord
