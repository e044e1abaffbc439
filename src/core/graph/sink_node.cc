#include "sink_node.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace patchcord {
namespace {

// Wakes after the start that only teach the lead. Nothing is pulled before the device's pace is
// known, because the first pulls would request sound that was not recorded yet.
constexpr int kSettlingWakes = 4;
constexpr int kStampPatience = 30;  // wakes
// If the lead differs for that long, the device is at another place, and the lead is learnt again.
// A late wake does not count: it requests all missing frames at once, each for its own place.
constexpr double kLeadJump = 100e6;      // ns
constexpr double kLeadPatience = 500e6;  // ns
constexpr double kMostAbsence = 1e9;     // ns, made good in one turn

}  // namespace

RateAdapter::RateAdapter(std::shared_ptr<Pullable> upstream, uint32_t in_rate, uint32_t in_channels,
                         uint32_t out_rate, uint32_t out_channels)
    : upstream_(std::move(upstream)),
      ratio_(static_cast<double>(in_rate) / out_rate),
      converter_({in_rate, in_channels}, {out_rate, out_channels}, ResamplerQuality::kMedium),
      in_(kMaxPull * in_channels) {}

void RateAdapter::pull(float* out, size_t frames, const PullTime& when) noexcept {
  PullTime at{when.time, when.rate * ratio_, when.after_break};
  const double out_ns = 1e9 / when.rate, in_ns = 1e9 / at.rate;
  for (size_t made = 0; made < frames;) {
    const size_t room = std::min(frames - made, kMaxPull);
    if (in_filled_ == in_at_) {
      in_at_ = 0;
      in_filled_ = std::min(kMaxPull, std::max<size_t>(1, converter_.needed_for(room)));
      // The converter holds back the frames after its next output frame, so the frames that it
      // needs now are heard that much later.
      at.time = when.time + static_cast<double>(made) * out_ns - converter_.position() * in_ns;
      at.frame = when.frame + static_cast<double>(made) * ratio_ - converter_.position();
      upstream_->pull(in_.data(), in_filled_, at);
      at.after_break = false;
    }
    const Resampler::Progress step =
        converter_.process(&in_[in_at_ * converter_.in().channels], in_filled_ - in_at_,
                           out + made * converter_.out().channels, room);
    in_at_ += step.consumed;
    made += step.produced;
  }
}

void SinkNode::open(const Format& device, int64_t most_more) {
  const bool again = format_.sample_rate != 0;
  if (!again) {
    format_ = device;
    meter_ = std::make_unique<LevelMeter>(device.channels, device.sample_rate);
    fade_ = Fade(device.channels, device.sample_rate);
    if (processing_.normalize) {
      normalizer_ = std::make_unique<LoudnessNormalizer>(device.sample_rate, device.channels);
      held_frames_ = static_cast<double>(normalizer_->latency_frames());
    } else if (processing_.limiter) {
      limiter_ = std::make_unique<Limiter>(device.sample_rate, device.channels);
      held_frames_ = static_cast<double>(limiter_->latency_frames());
    }
    format_shown_.store(format_);
    meter_shown_.store(meter_.get(), std::memory_order_release);
  }
  // The written audio that the last device still had has been heard, or never will be.
  tell_played();
  first_ += static_cast<double>(frame_) * ratio_;
  frame_ = 0;
  device_ = device;
  ratio_ = static_cast<double>(format_.sample_rate) / device.sample_rate;
  source_ = std::make_shared<Upper>(this);
  if (device.sample_rate != format_.sample_rate || device.channels != format_.channels) {
    source_ = std::make_shared<RateAdapter>(source_, format_.sample_rate, format_.channels,
                                            device.sample_rate, device.channels);
  }
  device_tracker_ = std::make_unique<RateTracker>(device.sample_rate, true);
  arrival_tracker_ = std::make_unique<RateTracker>(device.sample_rate, false);
  tracker_ = device_tracker_.get();
  rate_ = std::make_unique<SteadyRate>(device.sample_rate);
  block_.resize(kMaxPull * device.channels);
  device_fade_ = Fade(device.channels, device.sample_rate);
  if (again) device_fade_.rise();  // the sound that is playing did not begin here
  stamps_ = false;
  unstamped_ = 0;
  settling_ = 0;
  elsewhere_ = 0;
  fill_.restart(most_more);
  pausing_ = false;
}

void SinkNode::publish(std::shared_ptr<WrittenQueue> written, std::shared_ptr<Pullable> linked) {
  auto next = std::make_unique<Upstream>();
  if (upstream_.get() != nullptr) *next = *upstream_.get();
  if (next->written != written) next->written_number = ++numbers_;
  if (next->linked != linked) next->linked_number = ++numbers_;
  next->written = std::move(written);
  next->linked = std::move(linked);
  upstream_.exchange(std::move(next));
}

void SinkNode::fill(float* out, size_t frames, const PullTime& when) noexcept {
  Published<Upstream>::Reading upstream(upstream_);
  Pullable* source = nullptr;
  bool queued = false;
  bool written = false;
  uint64_t number = 0;
  if (upstream) {
    queued = upstream->written && (upstream->written->queued() > 0 || !upstream->written->idle());
    written = upstream->written && (queued || !upstream->linked);
    due_ = written ? queued : upstream->linked != nullptr;
    source = written ? static_cast<Pullable*>(upstream->written.get()) : upstream->linked.get();
    if (source != nullptr) number = written ? upstream->written_number : upstream->linked_number;
  }
  if (!upstream) due_ = false;
  const uint64_t before = std::exchange(playing_, number);
  if (before != number) fade_.fall();
  // The linked stream does not begin where written audio ends.
  if (before != number && before != 0 && number != 0 && !written) fade_.rise();
  if (source != nullptr) {
    source->pull(out, frames, when);
    fade_.sound(out, frames);
    if (written && queued && upstream->written->idle()) emptied_ = true;
  } else {
    fade_.silence(out, frames);
    stats_.silent_frames.add(frames);
  }
  if (normalizer_) normalizer_->process(out, frames);
  if (limiter_) limiter_->process(out, frames);
  meter_->process(out, frames);
}

void SinkNode::follow_lead(double now, double lead, uint32_t frames) noexcept {
  lead -= fill_.more();
  if (settling_ > 0 && std::abs(lead - lead_) > kLeadJump) {
    if (elsewhere_ == 0) elsewhere_ = now;
    if (now - elsewhere_ > kLeadPatience) settling_ = 0;
  } else {
    elsewhere_ = 0;
  }
  if (settling_ >= kSettlingWakes) return;
  lead_ = settling_ == 0 ? lead : std::max(lead_, lead);
  if (settling_ == 0 || now - woken_ > frames * 0.5e9 / device_.sample_rate) ++settling_;
  woken_ = now;
}

void SinkNode::render(void* data, uint32_t frames, int64_t play_time) noexcept {
  if (frames == 0) return;
  const double now = static_cast<double>(clock_.now());
  const bool stamped = play_time != kNoTime;
  if (stamped) stamps_ = true;
  // The sink waits for a device that has not reported yet when it plays. One that never does is
  // taken to play a constant time after it requests frames.
  if (!stamps_ && ++unstamped_ > kStampPatience && tracker_ != arrival_tracker_.get()) {
    tracker_ = arrival_tracker_.get();
  }
  if (stamped) {
    tracker_ = device_tracker_.get();
    tracker_->update(static_cast<int64_t>(frame_), play_time);
  } else if (tracker_ == arrival_tracker_.get()) {
    tracker_->update(static_cast<int64_t>(frame_), static_cast<int64_t>(now));
  }
  const bool timed = stamps_ || tracker_ == arrival_tracker_.get();
  const double played = static_cast<double>(tracker_->time_at(static_cast<double>(frame_)));
  const bool settled = settling_ >= kSettlingWakes;
  bool after_break = stamped && std::exchange(after_break_, false);
  if (timed) follow_lead(now, played - now, frames);
  const double rate = rate_->follow(*tracker_, static_cast<double>(frames) / device_.sample_rate);
  const double elapsed = frames * 1e9 / rate;
  double asked = played - lead();
  // The device's fill shrinks, so upstream is pulled faster by that much.
  const double upstream_rate = rate * elapsed / (elapsed + fill_.follow(elapsed));
  if (fill_.take_given_back()) events_->push({NodeEventType::kFill, position(), 0});
  size_t silent = settled ? pause(asked, rate, frames) : frames;
  if (tracker_->frame_at(now) >= static_cast<double>(drained_)) tell_played();
  uint8_t* to = static_cast<uint8_t*>(data);
  for (size_t done = 0; done < frames;) {
    const size_t block = std::min<size_t>(kMaxPull, silent > 0 ? silent : frames - done);
    if (silent > 0) {
      if (device_fade_.fall()) device_fade_.rise();  // upstream waits meanwhile
      device_fade_.silence(block_.data(), block);
      const auto silence = static_cast<uint64_t>(static_cast<double>(block) * ratio_);
      (settled ? stats_.underrun_frames : stats_.silent_frames).add(silence);
      if (settled) {
        if (paused_ == 0) paused_from_ = position();
        paused_ += silence;
      }
      silent -= block;
      asked += static_cast<double>(block) * 1e9 / rate;
    } else {
      source_->pull(block_.data(), block,
                    {asked, upstream_rate, std::exchange(after_break, false),
                     first_ + static_cast<double>(frame_ + done) * ratio_});
      asked += static_cast<double>(block) * 1e9 / upstream_rate;
      next_ = asked;
      device_fade_.sound(block_.data(), block);
    }
    from_float(block_.data(), device_.sample_format, to, block * device_.channels);
    to += block * bytes_per_frame(device_);
    done += block;
  }
  if (paused_ > 0 && !pausing_) {
    events_->push({NodeEventType::kUnderrun, paused_from_, std::exchange(paused_, 0)});
  }
  if (timed) {
    advance(frames, played, rate);
  } else {
    advance(frames, 0, 0);
  }
  const double held = held_frames_ * 1e9 / format_.sample_rate;
  lead_shown_.store(lead() + held, std::memory_order_relaxed);
  held_shown_.store(held, std::memory_order_relaxed);
  drift_ppm_.store(rate_->ppm(), std::memory_order_relaxed);
  if (device_fade_.audible()) sounds_until_.store(played + elapsed, std::memory_order_relaxed);
}

// The device's fill has grown after an underrun: the silence there lasts longer by that much, and
// no sound of upstream is skipped. Returns the number of the next frames that are silence.
size_t SinkNode::pause(double asked, double rate, uint32_t frames) noexcept {
  if (!pausing_) return 0;
  const double left = std::round((next_ - asked) * 1e-9 * rate);
  pausing_ = left > frames && left * 1e9 / rate <= fill_.more();
  if (left < 1 || left * 1e9 / rate > fill_.more()) return 0;
  return static_cast<size_t>(std::min<double>(left, frames));
}

void SinkNode::absent() noexcept {
  sounds_until_.store(0, std::memory_order_relaxed);
  const double now = static_cast<double>(clock_.now());
  const double lead = settling_ >= kSettlingWakes ? this->lead() : 0;
  const double rate = rate_->rate();
  double played = static_cast<double>(tracker_->time_at(static_cast<double>(frame_)));
  // The device never reported when it plays, or there was no turn for long: start again from now.
  if (std::abs(now + lead - played) > kMostAbsence) {
    tracker_->move_to(static_cast<int64_t>(frame_), clock_.now());
    played = now;
  }
  size_t due = static_cast<size_t>(std::max(0.0, (now + lead - played) * 1e-9 * rate));
  while (due > 0) {
    const size_t block = std::min<size_t>(kMaxPull, due);
    source_->pull(block_.data(), block, {played - lead, rate});
    advance(static_cast<uint32_t>(block), played, rate);
    stats_.discarded_frames.add(static_cast<uint64_t>(static_cast<double>(block) * ratio_));
    played += static_cast<double>(block) * 1e9 / rate;
    due -= block;
  }
  if (tracker_->frame_at(now) >= static_cast<double>(drained_)) tell_played();
}

// `rate` 0: the time at which they are played is unknown.
void SinkNode::advance(uint32_t frames, double played, double rate) noexcept {
  const double frame = first_ + static_cast<double>(frame_) * ratio_;
  if (rate != 0) anchor_.store({frame, played, rate * ratio_});
  frame_ += frames;
  if (std::exchange(emptied_, false)) {
    drained_ = frame_ + static_cast<uint64_t>(std::ceil(held_frames_ / ratio_));
  }
  stats_.rendered_frames.set(static_cast<uint64_t>(first_ + static_cast<double>(frame_) * ratio_));
}

void SinkNode::tell_played() noexcept {
  if (drained_ == 0) return;
  events_->push({NodeEventType::kPlayed, position(), 0});
  drained_ = 0;
}

void SinkNode::underrun(uint32_t frames, bool here) noexcept {
  if (here) device_fade_.restart();
  // If the device has continued since, a longer silence would be a second gap.
  const double missed = frames * 1e9 / device_.sample_rate;
  // While there is nothing to play nothing is missing, and the device need not hold more.
  const bool wanted =
      due_ || drained_ != 0 ||
      sounds_until_.load(std::memory_order_relaxed) > static_cast<double>(clock_.now());
  const bool grown = wanted && fill_.grow(here ? std::max(missed, Fill::kLeastStep) : missed) > 0;
  if (grown) pausing_ = here;
  // The next frames are heard later, by the time that their timestamp will show. Live audio jumps
  // there: it is broken already, and would otherwise be late for minutes.
  if (stamps_ && frames > 0) {
    tracker_->lose_place();
    after_break_ = true;
  }
  if (!wanted) return;
  stats_.underruns.add(1);
  stats_.underrun_frames.add(static_cast<uint64_t>(frames * ratio_));
  events_->push({NodeEventType::kUnderrun, position(), static_cast<uint64_t>(frames * ratio_)});
  if (grown) events_->push({NodeEventType::kFill, position(), 0});
}

}  // namespace patchcord
