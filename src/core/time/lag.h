// How far behind the newest possible audio a reader stays, so that packets are there when it reads
// them. The lag grows if packets were too late, and shrinks again after a long time without a late
// one.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>

namespace patchcord {

// Audio thread, unless said otherwise. Times are in ns.
class Lag {
 public:
  static constexpr double kMargin = 5e6;  // added to the lag that was just enough
  static constexpr double kMost = 500e6;  // the longest time to wait for packets

  explicit Lag(double least) : ns_(least), enough_(least), shown_(least) {}

  double ns() const noexcept { return ns_; }
  double shown() const noexcept { return shown_.load(std::memory_order_relaxed); }  // any thread

  void raise(double to) noexcept {
    if (to > ns_) grow_to(to);
  }
  // After each turn, which took `elapsed`. `too_late`: by how much packets were too late, 0 if all
  // were there. `take_spare()` returns how much sooner all packets since its last call could have
  // been read. The lag is never below `least`.
  template <class TakeSpare>
  void follow(double elapsed, double least, double shortfall,
              const TakeSpare& take_spare) noexcept {
    if (shortfall > 0) {
      grow_to(ns_ + shortfall + kMargin);
      take_spare();  // what was spare before says nothing
    } else if ((observed_ += elapsed) >= kPatience) {
      observed_ = 0;
      const double spare = take_spare();
      if (std::isfinite(spare)) enough_ = ns_ - (spare - kMargin);
    }
    enough_ = std::clamp(enough_, std::min(least, ns_), ns_);
    set(std::max(enough_, ns_ - kShrink * elapsed));
  }

 private:
  // Spare lag that was not needed for so long is given back, more slowly than an input corrects its
  // position.
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
  double enough_;        // the lag that would have been enough lately
  double observed_ = 0;  // how long it has been observed
  std::atomic<double> shown_;
};

}  // namespace patchcord
