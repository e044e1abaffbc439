// The combined state of several programs, instead of a device's state: mute, volume and meter.
#pragma once

#include <algorithm>

#include "../core/graph/life_signs.h"

namespace patchcord {

class ProgramState {
 public:
  // Adds one stream of one of them. `peak`: linear, as it is heard; NaN: not known.
  void add(bool playing, bool muted, float volume, float peak) {
    // While one plays, halted ones do not count.
    if (playing_ && !playing) return;
    if (!state_.known || playing != playing_) {
      state_ = {true, true, 0, -1};
      playing_ = playing;
    }
    state_.muted = state_.muted && muted;
    state_.volume = std::max(state_.volume, std::min(volume, 1.0f));
    // A muted program does not count: others may sound, and the silence would not be a fault.
    if (!muted && volume > 0 && peak >= 0) state_.peak = std::max(state_.peak, peak);
  }

  // Without programs the state is not known.
  const EndpointState& get() const { return state_; }

 private:
  EndpointState state_;
  bool playing_ = false;
};

}  // namespace patchcord
