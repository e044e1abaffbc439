#include "tap_sum.h"

#include <algorithm>
#include <cmath>

namespace patchcord {
namespace {

// A packet of 10 ms, its transport and one turn of the sum; it grows if a tap's packets prove
// later.
constexpr double kFirstLag = 30e6;
// The part of a tap's queue beyond the longest wait, for a machine or a server that stalls.
constexpr int64_t kQueueNs = kUnansweredWait + kNsPerSecond / 2;
// If a tap has nothing, the sum makes the silence, and counts sound that comes too late. A tap that
// made the silence earlier would trim that sound without counting it. The wait is below the 60 s
// after which a timeline leaves time out.
constexpr int64_t kTapWait = 30 * kNsPerSecond;

SourceNode::Config source_config(Clock& clock, const Format& device) {
  SourceNode::Config config;
  config.sample_rate = device.sample_rate;
  config.channels = device.channels;
  config.start = clock.now();
  config.fills_idle = true;  // a program that pauses has no packets
  config.max_wait = kTapWait;
  config.metered = false;
  return config;
}

MixerNode::Config mixer_config(uint32_t rate, uint32_t channels, int64_t max_wait) {
  MixerNode::Config config{rate, channels, kFirstLag, false};
  config.max_wait_ns = static_cast<double>(max_wait);
  config.host_clock = true;
  config.metered = false;
  return config;
}

}  // namespace

TapSum::Tap::Tap(Clock& clock, const Format& device, uint32_t rate, uint32_t channels,
                 int64_t max_wait)
    : node_(clock, source_config(clock, device)) {
  const auto queue = std::make_shared<FrameQueue>(
      device.channels, device.sample_rate,
      static_cast<size_t>(device.sample_rate * ((kQueueNs + max_wait) / kNsPerMs) / 1000));
  node_.open(device);
  node_.attach(queue, nullptr);
  input_.controls = std::make_shared<InputControls>(channels, rate);
  input_.live = std::make_shared<LiveInput>(queue, rate, channels);
}

TapSum::TapSum(TapSums* sums, uint32_t rate, uint32_t channels, Output* output, int64_t max_wait)
    : sums_(*sums),
      rate_(rate),
      channels_(channels),
      max_wait_(max_wait),
      output_(*output),
      mixer_(mixer_config(rate, channels, max_wait), this) {
  mixer_.attach(std::make_shared<Link>(output), nullptr);
}

void TapSum::start() {
  // At a turn of the sums; the lag is a whole number of periods too. So each turn finds exactly its
  // period due.
  mixer_.begin_at(sums_.clock().now() / TapSums::kPeriodNs * TapSums::kPeriodNs);
  sums_.add(this);
}

std::shared_ptr<TapSum::Tap> TapSum::add(const Format& device) {
  auto tap = std::make_shared<Tap>(sums_.clock(), device, rate_, channels_, max_wait_);
  tap->input_.connection = ++connections_;
  taps_.push_back(tap);
  publish();
  return tap;
}

void TapSum::end(const std::shared_ptr<Tap>& tap) {
  tap->node_.finish();
  publish();
}

// Publishes the taps, except those that have ended and are played out.
void TapSum::publish() {
  taps_.erase(
      std::remove_if(taps_.begin(), taps_.end(),
                     [](const std::shared_ptr<Tap>& one) { return one->input_.live->over(); }),
      taps_.end());
  std::vector<MixerNode::Input> inputs;
  for (const std::shared_ptr<Tap>& tap : taps_) inputs.push_back(tap->input_);
  mixer_.publish(std::move(inputs));
}

void TapSum::Link::push(const float* samples, const Record& record) noexcept {
  if ((record.flags & kRecordHole) != 0) return;  // the position of the next record shows it
  output_.on_sum(samples, static_cast<uint32_t>(record.frames), static_cast<int64_t>(record.frame),
                 std::llround(record.time));
}

}  // namespace patchcord
