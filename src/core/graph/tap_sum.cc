#include "tap_sum.h"

#include <algorithm>

namespace patchcord {
namespace {

constexpr int64_t kPeriodNs = TapSums::kPeriodNs;
// A packet of 10 ms, its way here and a turn of the sum; more when a tap's packets prove later.
constexpr int64_t kFirstLag = 30 * kNsPerMs;
constexpr int64_t kLagMargin = 5 * kNsPerMs;
constexpr int64_t kMaxLag = 400 * kNsPerMs;  // stamps that are older are not believed
// What a tap's queue holds: the longest lag, and as long again for a machine that stalls.
constexpr int64_t kQueueNs = kNsPerSecond;
// A turn that comes later than that skips: the listener sees a hole.
constexpr int64_t kPatience = kQueueNs;
constexpr int64_t kKeptPeriods = 10;

SourceNode::Config config_of(Clock& clock, const Format& device) {
  SourceNode::Config config;
  config.sample_rate = device.sample_rate;
  config.channels = device.channels;
  config.start = clock.now();
  config.fills_idle = true;  // a program that pauses has no packets
  config.metered = false;
  return config;
}

}  // namespace

TapSum::Tap::Tap(Clock& clock, const Format& device, uint32_t rate, uint32_t channels)
    : node_(clock, config_of(clock, device), &no_events_),
      queue_(std::make_shared<FrameQueue>(
          device.channels, device.sample_rate,
          static_cast<size_t>(device.sample_rate * kQueueNs / kNsPerSecond))),
      input_(queue_, rate, channels) {
  node_.open(device);
  node_.attach(queue_, nullptr);
}

TapSum::TapSum(TapSums* sums, uint32_t rate, uint32_t channels, Output* output)
    : sums_(*sums),
      rate_(rate),
      channels_(channels),
      output_(output),
      sum_(kMaxPull * channels),
      scratch_(kMaxPull * channels),
      lag_(kFirstLag) {}

void TapSum::start() {
  // At a turn of the sums, as is the lag: each turn then finds exactly its period due.
  start_ = sums_.clock().now() / kPeriodNs * kPeriodNs;
  position_ = 0;
  sums_.add(this);
}

std::shared_ptr<TapSum::Tap> TapSum::add(const Format& device) {
  auto tap = std::make_shared<Tap>(sums_.clock(), device, rate_, channels_);
  taps_.push_back(tap);
  publish();
  return tap;
}

void TapSum::end(const std::shared_ptr<Tap>& tap) {
  tap->node_.finish();
  publish();
}

// Without those that have been played out.
void TapSum::publish() {
  taps_.erase(std::remove_if(taps_.begin(), taps_.end(),
                             [](const std::shared_ptr<Tap>& one) { return one->played_.load(); }),
              taps_.end());
  published_.exchange(std::make_unique<Taps>(taps_));
}

int64_t TapSum::time_of(int64_t frame) const noexcept {
  // Whole seconds apart: the product of a frame and 1e9 overflows after two days.
  return start_ + frame / rate_ * kNsPerSecond + frame % rate_ * kNsPerSecond / rate_;
}

void TapSum::step(int64_t now) noexcept {
  const int64_t late = now - lag_.load(std::memory_order_relaxed) - time_of(position_);
  int64_t due = late / kNsPerSecond * rate_ + late % kNsPerSecond * rate_ / kNsPerSecond;
  const int64_t period = rate_ * kPeriodNs / kNsPerSecond;
  due -= due % period;
  if (due > static_cast<int64_t>(rate_ * kPatience / kNsPerSecond)) {
    const int64_t kept = kKeptPeriods * period;
    position_ += due - kept;
    due = kept;
  }
  Published<Taps>::Reading taps(published_);
  while (due > 0) {
    const int64_t frames = std::min<int64_t>(due, kMaxPull);
    const int64_t time = time_of(position_);
    const bool any =
        taps && std::any_of(taps->begin(), taps->end(),
                            [](const std::shared_ptr<Tap>& tap) { return !tap->played_.load(); });
    if (any) sum(*taps, static_cast<size_t>(frames), static_cast<double>(time));
    output_->on_sum(any ? sum_.data() : nullptr, static_cast<uint32_t>(frames), position_, time);
    position_ += frames;
    due -= frames;
  }
}

void TapSum::sum(Taps& taps, size_t frames, double time) noexcept {
  std::fill_n(sum_.begin(), frames * channels_, 0.0f);
  for (const std::shared_ptr<Tap>& tap : taps) {
    if (tap->played_.load(std::memory_order_relaxed)) continue;
    LiveInput& input = tap->input_;
    input.pull(scratch_.data(), frames, {time, static_cast<double>(rate_)});
    for (size_t i = 0; i < frames * channels_; ++i) sum_[i] += scratch_[i];
    if (input.take_end()) tap->played_.store(true);
    const double shortfall = input.take_shortfall();
    if (shortfall <= 0) continue;
    const int64_t more = static_cast<int64_t>(shortfall) + kLagMargin;
    const int64_t turns = (more + kPeriodNs - 1) / kPeriodNs;
    const int64_t lag = lag_.load(std::memory_order_relaxed) + turns * kPeriodNs;
    lag_.store(std::min(kMaxLag, lag), std::memory_order_relaxed);
  }
}

}  // namespace patchcord
