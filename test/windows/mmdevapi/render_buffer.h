// The buffer of a render stream: frames that the program's thread writes and the world's audio
// thread plays.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "../../../src/backend/backend.h"
#include "../../../src/backend/wasapi/windows_sdk.h"
#include "../../../src/core/shown.h"
#include "../../../src/core/time/anchor.h"
#include "sample_cast.h"

namespace patchcord {

class RenderBuffer final : public RenderListener {
 public:
  // Written in `format`, played in that of `device`.
  RenderBuffer(const Format& format, const Format& device, uint32_t buffer_frames);

  // The program's thread.
  uint8_t* staging() { return staging_.data(); }  // as long as the whole buffer
  void commit(uint32_t frames, bool silent);      // what is in staging() follows what was written
  void clear();                                   // while the stream is stopped
  void signal_periods(HANDLE event) { event_.store(event, std::memory_order_release); }
  void set_running(bool running) { running_.store(running, std::memory_order_release); }

  // Any thread.
  uint32_t padding() const;  // frames that wait
  // Frames heard by `now`. It never goes back. Starved, it is all that was written; stopped, all
  // that does not wait.
  uint64_t position_at(int64_t now);
  HRESULT failure() const { return failure_.load(std::memory_order_acquire); }

 private:
  void on_render(void* data, uint32_t frames, int64_t play_time) noexcept override;
  void on_underrun(uint32_t, bool) noexcept override {}  // Windows does not say either
  void on_lost(const Error& error) noexcept override;

  const Format format_;
  const size_t frame_bytes_;
  const size_t device_frame_bytes_;
  const uint8_t device_zero_;
  const uint32_t buffer_frames_;
  SampleCast cast_;  // the audio thread's
  std::vector<uint8_t> ring_;
  std::vector<uint8_t> staging_;
  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> played_{0};  // taken by the world
  std::atomic<bool> running_{false};
  std::atomic<uint64_t> last_position_{0};
  Shown<Anchor> heard_;  // when the frame taken last but one period is heard
  std::atomic<HANDLE> event_{nullptr};
  std::atomic<HRESULT> failure_{S_OK};
};

}  // namespace patchcord
