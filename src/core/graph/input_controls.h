// Gain, pan, mute and ducking of one input of a mixer.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "../signal/ducker.h"
#include "../signal/format.h"
#include "../signal/level_meter.h"
#include "../signal/ramp.h"
#include "../signal/recent.h"
#include "pullable.h"

namespace patchcord {

// The JS thread sets them, the audio thread follows. Each control has its own ramp, which starts at
// the present value and takes `ramp_frames`. A value that is set before anything was mixed applies
// at once.
class InputControls {
 public:
  InputControls(uint32_t channels, uint32_t sample_rate);

  // JS thread.
  void set_gain(float gain, uint32_t ramp_frames) noexcept { gain_.set(gain, ramp_frames); }
  void set_pan(float pan, uint32_t ramp_frames) noexcept { pan_.set(pan, ramp_frames); }
  void set_muted(bool muted, uint32_t ramp_frames) noexcept {
    heard_.set(muted ? 0.0f : 1.0f, ramp_frames);
  }

  // JS thread, before the input is published: lowers this input while `key` sounds. The mix
  // processes that input before this one.
  void duck(std::shared_ptr<InputControls> key, const Ducker::Config& config);

  // Mixer's thread: processes `frames` of one input in place, for adding to the mix, `offset`
  // frames into the block of this turn.
  void process(float* samples, size_t frames, size_t offset = 0) noexcept;

  // Mixer's thread: `connection` is mixed in `turn`. Returns whether it was in the turn before.
  bool goes_on(uint64_t connection, uint64_t turn) noexcept {
    goes_on_ = connection == connection_ && turn == turn_ + 1;
    if (!goes_on_) recent_.clear();
    connection_ = connection;
    turn_ = turn;
    return goes_on_;
  }
  // Mixer's thread: its last frames, if it is mixed in `turn` and was in the turn before.
  const Recent* recent_in(uint64_t turn) const noexcept {
    return goes_on_ && turn == turn_ ? &recent_ : nullptr;
  }

  // any thread: measures after the controls
  const LevelMeter& meter() const noexcept { return meter_; }

 private:
  void follow() noexcept;
  bool moves() const noexcept { return gain_.moves() || pan_.moves() || heard_.moves(); }
  using Frame = std::array<float, kMaxChannels>;
  Frame gains() const noexcept;

  using Peaks = std::array<float, kMaxPull>;
  const float* peaks_in(uint64_t turn) const noexcept {
    return turn == turn_ ? peaks_.load(std::memory_order_acquire)->data() : nullptr;
  }
  void show_peaks(const float* samples, size_t frames, size_t offset) noexcept;

  const uint32_t channels_;
  Ramp gain_{1}, pan_{0}, heard_{1};
  std::shared_ptr<InputControls> key_;  // of the input that triggers the ducker
  std::optional<Ducker> ducker_;
  // The peak of each frame in the present turn, if another input is ducked by this one.
  std::unique_ptr<Peaks> peaks_memory_;
  std::atomic<Peaks*> peaks_{nullptr};
  // Mixer's thread.
  LevelMeter meter_;
  bool begun_ = false;
  Recent recent_;
  uint64_t connection_ = 0;
  uint64_t turn_ = 0;
  bool goes_on_ = false;
};

}  // namespace patchcord
