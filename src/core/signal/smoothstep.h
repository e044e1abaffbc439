// The shape of every ramp of a gain.
#pragma once

namespace patchcord {

// From 0 to 1 as `t` does, without a corner at either end: corners can be heard in a loud tone.
template <typename T>
constexpr T smoothstep(T t) noexcept {
  return t * t * (3 - 2 * t);
}

}  // namespace patchcord
