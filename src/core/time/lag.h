// How much older than it could be live sound is taken, so that its packets are there when they are
// asked for: grows when they came too late all the same, and shrinks again when for long none did.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>

namespace patchcord {

// Audio thread, unless it says otherwise. In ns.
class Lag {
 public:
  static constexpr double kMargin = 5e6;  // beyond what was just enough
  static constexpr double kMost = 500e6;  // no packets are waited for for longer

  explicit Lag(double least) : ns_(least), enough_(least), shown_(least) {}

  double ns() const noexcept { return ns_; }
  double shown() const noexcept { return shown_.load(std::memory_order_relaxed); }  // any thread

  void raise(double to) noexcept {
    if (to > ns_) grow_to(to);
  }
  // After each turn, of `elapsed`: by how much packets were too late, 0 when all were there.
  // `take_spare()` tells how much sooner all of them since its last call could have been asked for.
  // Never below `least`.
  template <class TakeSpare>
  void follow(double elapsed, double least, double shortfall,
              const TakeSpare& take_spare) noexcept {
    if (shortfall > 0) {
      grow_to(ns_ + shortfall + kMargin);
      take_spare();  // what was there before says nothing
    } else if ((observed_ += elapsed) >= kPatience) {
      observed_ = 0;
      const double spare = take_spare();
      if (std::isfinite(spare)) enough_ = ns_ - (spare - kMargin);
    }
    enough_ = std::clamp(enough_, std::min(least, ns_), ns_);
    set(std::max(enough_, ns_ - kShrink * elapsed));
  }

 private:
  // What was to spare for so long is given back, slower than an input works off an error.
  static constexpr double kPatience = 10e9;
  static constexpr double kShrink = 0.3e-3;

  void grow_to(double ns) noexcept {
    enough_ = std::min(kMost, ns);
    observed_ = 0;
    set(enough_);
  }
  void set(double ns) noexcept {
    ns_ = ns;
    shown_.store(ns, std::memory_order_relaxed);
  }

  double ns_;
  double enough_;        // would have been, of late
  double observed_ = 0;  // for how long
  std::atomic<double> shown_;
};

}  // namespace patchcord
