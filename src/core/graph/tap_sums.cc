#include "tap_sums.h"

#include <algorithm>

namespace patchcord {

void TapSums::add(Sum* sum) {
  std::lock_guard<std::mutex> lock(writing_);
  sums_.push_back(sum);
  published_.exchange(std::make_unique<Sums>(sums_));
  if (task_) return;
  task_ =
      clock_.start("patchcord-taps", Priority::kAudio, [this](int64_t now) { return step(now); });
}

void TapSums::remove(Sum* sum) {
  std::lock_guard<std::mutex> lock(writing_);
  const auto found = std::find(sums_.begin(), sums_.end(), sum);
  if (found == sums_.end()) return;
  sums_.erase(found);
  published_.exchange(std::make_unique<Sums>(sums_));
  if (sums_.empty()) task_.reset();
}

int64_t TapSums::step(int64_t now) noexcept {
  Published<Sums>::Reading sums(published_);
  for (Sum* sum : *sums) sum->step(now);
  return (now / kPeriodNs + 1) * kPeriodNs;
}

}  // namespace patchcord
