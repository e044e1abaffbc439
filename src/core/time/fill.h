// How much more than at first a device must hold, so that it does not underrun.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

namespace patchcord {

// After a device ran dry it holds as much more as it had been without, kLeastStep at least. Once
// nothing has been missing for a minute, 0.2 ms of it are given back each second, which the
// resamplers of live streams follow without being heard. A device that runs dry while it gives back
// waits twice as long before the next time, up to a quarter of an hour.
// Audio thread, unless it says otherwise. In ns.
class Fill {
 public:
  static constexpr double kLeastStep = 5e6;

  // Control thread, before a device runs: nothing more yet, and never more than `most`.
  void restart(int64_t most) noexcept {
    most_ = static_cast<double>(most);
    patience_ = kPatience;
    calm_ = 0;
    grown_ = false;
    set(0);
  }

  // Returns by how much it grew.
  double grow(double by) noexcept {
    if (calm_ > patience_) patience_ = std::min(2 * patience_, kMostPatience);
    calm_ = 0;
    const double before = more_;
    set(std::min(most_, before + by));
    grown_ = true;
    return more_ - before;
  }

  // After each turn, of `elapsed`. Returns by how much it shrank.
  double follow(double elapsed) noexcept {
    if (more_ == 0) return 0;
    calm_ += elapsed;
    if (calm_ <= patience_) return 0;
    const double before = more_;
    set(std::max(0.0, before - kShrink * elapsed));
    if (more_ == 0) patience_ = kPatience;
    return before - more_;
  }
  // Whether it has shrunk to nothing; true once.
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
  double calm_ = 0;  // since it ran dry
  bool grown_ = false;
  std::atomic<double> shown_{0};
};

}  // namespace patchcord
