// How much more audio than at first a device must hold to avoid underruns.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

namespace patchcord {

// After an underrun the device holds more: as much as was missing, at least kLeastStep. After a
// minute without one it gives back 0.2 ms each second, which the resamplers of live streams follow
// inaudibly. If the device underruns while it gives back, the next time waits twice as long, up to
// a quarter of an hour. Audio thread, unless said otherwise. Times are in ns.
class Fill {
 public:
  static constexpr double kLeastStep = 5e6;

  // Control thread, before a device runs: resets the fill to zero and limits it to `most`.
  void restart(int64_t most) noexcept {
    most_ = static_cast<double>(most);
    patience_ = kPatience;
    calm_ = 0;
    grown_ = false;
    set(0);
  }

  // Returns how much the fill grew.
  double grow(double by) noexcept {
    if (calm_ > patience_) patience_ = std::min(2 * patience_, kMostPatience);
    calm_ = 0;
    const double before = more_;
    set(std::min(most_, before + by));
    grown_ = true;
    return more_ - before;
  }

  // After each turn, which took `elapsed`. Returns how much the fill shrank.
  double follow(double elapsed) noexcept {
    if (more_ == 0) return 0;
    calm_ += elapsed;
    if (calm_ <= patience_) return 0;
    const double before = more_;
    set(std::max(0.0, before - kShrink * elapsed));
    if (more_ == 0) patience_ = kPatience;
    return before - more_;
  }
  // Whether the fill has shrunk to zero; returns true only once.
  bool take_given_back() noexcept { return more_ == 0 && std::exchange(grown_, false); }

  double more() const noexcept { return more_; }
  double shown() const noexcept { return shown_.load(std::memory_order_relaxed); }  // any thread

 private:
  static constexpr double kPatience = 60e9;
  static constexpr double kMostPatience = 900e9;
  static constexpr double kShrink = 0.2e-3;

  void set(double more) noexcept {
    more_ = more;
    shown_.store(more, std::memory_order_relaxed);
  }

  double most_ = 0;
  double more_ = 0;
  double patience_ = kPatience;
  double calm_ = 0;  // time since the last underrun
  bool grown_ = false;
  std::atomic<double> shown_{0};
};

}  // namespace patchcord
