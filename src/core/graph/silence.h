// Delivers silence, which begins with the fade of the sound before it.
#pragma once

#include <algorithm>
#include <vector>

#include "../signal/fade.h"
#include "record.h"

namespace patchcord {

// Calls give(samples, record) for the parts of `silence`: with samples in `scratch` as long as
// `fade` falls, then without. Frames and times do not change.
template <class Give>
void give_silence(Fade& fade, std::vector<float>& scratch, uint32_t channels, Record silence,
                  const Give& give) noexcept {
  while (fade.falling() && silence.frames > 0) {
    Record part = silence;
    part.frames =
        std::min<uint64_t>(silence.frames, std::min(fade.fall_left(), scratch.size() / channels));
    part.flags |= kRecordFade;
    fade.silence(scratch.data(), static_cast<size_t>(part.frames));
    give(scratch.data(), part);
    silence.frame += part.frames;
    silence.frames -= part.frames;
    silence.time += static_cast<double>(part.frames) * 1e9 / silence.rate;
  }
  if (silence.frames > 0) give(static_cast<float*>(nullptr), silence);
}

}  // namespace patchcord
