// A stream's position in time.
#pragma once

namespace patchcord {

struct Anchor {
  double frame = 0;
  double time = 0;  // ns
  double rate = 0;  // true frames per second; 0: not set yet

  double time_at(double at) const { return time + (at - frame) * 1e9 / rate; }
  double frame_at(double at) const { return frame + (at - time) * rate * 1e-9; }
};

}  // namespace patchcord
