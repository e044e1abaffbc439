// The position of the next output frame among the input frames.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace patchcord {

// The position is frame + phase / phases, in whole numbers, so that nothing is ever rounded.
struct ResamplerPosition {
  uint64_t phases = 1;
  uint64_t step_frames = 1;  // how far an output frame moves the position
  uint64_t step_phase = 0;
  size_t frame = 0;
  uint64_t phase = 0;

  void set_step(uint64_t in_phases) noexcept {
    step_frames = in_phases / phases;
    step_phase = in_phases % phases;
  }

  void step() noexcept {
    frame += step_frames;
    phase += step_phase;
    if (phase >= phases) {
      phase -= phases;
      ++frame;
    }
  }

  // phase and step_phase are below 2^32: nothing overflows for fewer than 2^31 frames.
  uint64_t frame_after(uint64_t frames) const noexcept {
    frames = std::min<uint64_t>(frames, INT32_MAX);
    return frame + frames * step_frames + (phase + frames * step_phase) / phases;
  }

  void advance(size_t frames) noexcept {
    const uint64_t sum = phase + frames * step_phase;
    frame += frames * step_frames + sum / phases;
    phase = sum % phases;
  }

  // The number of output frames, at most `wanted`, that lie before the input frame `end`.
  size_t frames_before(size_t end, size_t wanted) const noexcept {
    if (end <= frame) return 0;
    // Frame n lies at floor((phase + n * step) / phases) after `frame`. This is the last one before
    // `end`.
    const uint64_t room = (end - frame) * phases - 1 - phase;
    return static_cast<size_t>(
        std::min<uint64_t>(wanted, room / (step_frames * phases + step_phase) + 1));
  }
};

}  // namespace patchcord
