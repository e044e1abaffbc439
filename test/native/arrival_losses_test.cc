// The count of the frames that a system dropped, by the times at which packets arrive.
#include "../../src/core/time/arrival_losses.h"

#include <cstdint>
#include <random>

#include "check.h"

using namespace patchcord;

namespace {

constexpr int64_t kPacket = 480;

// Packets of 10 ms of a device whose clock is `ppm` fast. The thread that delivers them sleeps for
// up to 200 ms now and then, and then delivers all of them at once.
class Arrivals {
 public:
  explicit Arrivals(double ppm) : ns_(1e9 * kPacket / 48000 / (1 + ppm * 1e-6)) {}

  // Returns how many frames turned out to be lost.
  int64_t pass(int64_t packets) {
    int64_t found = 0;
    for (; packets > 0; --packets) {
      recorded_ += ns_;
      if (random_() % 50 == 0) wakes_ = recorded_ + static_cast<double>(random_() % 200'000'000);
      const double now = wakes_ > recorded_ ? wakes_ : recorded_;
      frames_ += kPacket;
      const int64_t lost = losses_.find(frames_, static_cast<int64_t>(now));
      frames_ += lost;
      found += lost;
    }
    return found;
  }
  void lose(int64_t packets) { recorded_ += ns_ * static_cast<double>(packets); }

 private:
  const double ns_;
  std::mt19937 random_{7};
  ArrivalLosses losses_{48000};
  double recorded_ = 5e9;
  double wakes_ = 0;
  int64_t frames_ = 0;
};

TEST("a clock that is fast or slow, and a thread that wakes late, lose nothing") {
  for (const double ppm : {-300.0, 0.0, 300.0}) CHECK(Arrivals(ppm).pass(360'000) == 0);
}

TEST("packets that the system dropped are found within a second") {
  for (const int64_t packets : {1, 3, 100}) {
    Arrivals arrivals(50);
    CHECK(arrivals.pass(1000) == 0);
    arrivals.lose(packets);
    CHECK_NEAR(arrivals.pass(100), packets * kPacket, 100);
    CHECK(arrivals.pass(1000) == 0);
  }
}

}  // namespace
