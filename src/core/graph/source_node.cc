#include "source_node.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace patchcord {
namespace {

constexpr size_t kBlock = 1024;  // device frames converted at a time
// As far behind the clock as an idle endpoint's silence: the first frames of the next device are
// hardly older.
constexpr double kAbsenceLag = 30e6;  // ns
// How long a device that is back may take to deliver its first packet.
constexpr double kReturn = 100e6;  // ns
constexpr uint32_t kAbsence = kRecordHole | kRecordSilence;

}  // namespace

SourceNode::SourceNode(Clock& clock, const Config& config, std::shared_ptr<NodeEvents> events)
    : clock_(clock),
      config_(config),
      events_(std::move(events)),
      fade_(config.channels, config.sample_rate),
      fade_frames_(static_cast<uint32_t>(Fade::kSeconds * config.sample_rate)),
      meter_(config.channels, config.sample_rate),
      life_(config.fills_idle),
      end_(config.duration_frames != 0 ? config.duration_frames
                                       : std::numeric_limits<uint64_t>::max()) {
  anchor_.store({0, static_cast<double>(config.start), static_cast<double>(config.sample_rate)});
}

void SourceNode::open(const Format& device, const DeviceTiming& timing, uint32_t speakers) {
  int64_t start = config_.start;
  if (timeline_) {
    leave();
    start = std::llround(time_at(static_cast<double>(position_)));
    first_ = position_;
  }
  device_ = device;
  ratio_ = static_cast<double>(config_.sample_rate) / device.sample_rate;
  timeline_ = std::make_unique<Timeline>(device.sample_rate, start, config_.fills_idle, timing,
                                         config_.max_fill, &clock_.sleep_log());
  rate_ = std::make_unique<SteadyRate>(device.sample_rate);
  life_.restart();
  ringing_ = 0;
  skipping_ = false;
  back_at_ = kNever;
  auto map = config_.routing.empty() ? device_map(device.channels, config_.channels, speakers)
                                     : config_.routing.map(device.channels, config_.channels);
  if (map && config_.attenuates) map->attenuate();
  // A variable ratio is as flat with kBest as a fixed one with kHigh.
  converter_ = std::make_unique<Converter>(
      Filter::Shape{device.sample_rate, device.channels},
      Filter::Shape{config_.sample_rate, config_.channels},
      config_.host_clock ? ResamplerQuality::kBest : ResamplerQuality::kHigh, config_.host_clock,
      std::move(map));
  if (config_.host_clock) {
    host_ = std::make_unique<HostClock>(config_.start, converter_.get());
    host_->leave_out_seconds(left_out_);
  }
  device_fade_ = Fade(device.channels, device.sample_rate);
  cut_ = true;
  raw_.resize(kBlock * device.channels);
  out_.resize(converter_->most_out(kBlock) * config_.channels);
}

void SourceNode::leave() noexcept {
  if (away_) return;
  hold(false);
  away_ = true;
  away_from_ = position_;
}

void SourceNode::absent() noexcept {
  if (ended_) return;
  leave();
  fill_absence(static_cast<double>(clock_.now()) - kAbsenceLag);
}

// Delivers silence up to that time (ns) while there is no device.
void SourceNode::fill_absence(double until) noexcept {
  const double from = time_at(static_cast<double>(position_));
  if (until - from > static_cast<double>(config_.max_fill)) {
    const int64_t seconds =
        clock_.sleep_log().leave_out(static_cast<int64_t>(from), static_cast<int64_t>(until));
    timeline_->leave_out(seconds);
    leave_out(seconds);
  }
  const double behind = until - time_at(static_cast<double>(position_));
  const double due = std::floor(behind * 1e-9 * true_rate());
  if (due < 1) return;
  emit(nullptr, static_cast<uint64_t>(due), kAbsence);
}

// Each frame was counted when it became silence; now the total is known.
void SourceNode::come_back() noexcept {
  if (!away_) return;
  away_ = false;
  if (position_ == away_from_) return;
  stats_.holes.add(1);
  tell(NodeEventType::kAbsence, away_from_, position_ - away_from_);
}

void SourceNode::packet(const void* data, uint32_t frames, int64_t position, int64_t time,
                        bool discontinuity) noexcept {
  if (ended_ || frames == 0) return;
  hold(false);
  stats_.packets.add(1);
  if (discontinuity) stats_.hints.add(1);
  rate_->follow(timeline_->tracker(), static_cast<double>(frames) / device_.sample_rate);
  const Timeline::Placement place = timeline_->place(frames, position, time, clock_.now());
  leave_out(timeline_->take_left_out());
  back_at_ = std::min(back_at_, clock_.now());
  // Frames skipped because there was no device have already been counted as such.
  if (place.lost > 0 && (!away_ || place.silence > 0)) {
    // The skipped frames belong before this position.
    hole(position_ - std::min<uint64_t>(position_, to_output(place.back)), to_output(place.lost),
         skipping_);
  }
  cut_ = cut_ || away_ || place.lost > 0 || place.skip > 0;
  skipping_ = place.skip == frames;
  if (place.silence > 0) {
    silence(place.silence, away_ ? kAbsence : place.lost > 0 ? kRecordHole : kRecordSilence);
  }
  if (!skipping_) come_back();
  if (timeline_->begun()) stats_.trimmed_frames.add(place.skip);
  sounds_ = false;
  const uint8_t* bytes = static_cast<const uint8_t*>(data);
  const size_t frame_bytes = bytes_per_frame(device_);
  size_t done = place.skip + follow_leap(frames - place.skip);
  if (cut_ && done < frames) {
    cut_ = false;
    if (position_ > 0) {
      device_fade_.fall();
      device_fade_.rise();
    }
  }
  while (done < frames && !ended_) {
    const size_t block = std::min<size_t>(kBlock, frames - done);
    convert(bytes != nullptr ? bytes + done * frame_bytes : nullptr, block, 0);
    done += block;
  }
  timeline_->advance(frames - place.skip);
  if (!skipping_) settle_losses();
  // Frames before the stream's start are skipped, so it is unknown whether they were sound.
  life_.packet(sounds_ || !timeline_->begun());
  set_anchor();
}

// No more packets are expected: the frames that the device owes are lost.
void SourceNode::give_up() noexcept {
  const uint64_t owed = timeline_->owed(clock_.now());
  leave_out(timeline_->take_left_out());
  if (owed == 0) return;
  const uint64_t before = position_;
  silence(owed, kRecordHole);
  hole(before, position_ - before, false);
  settle_losses();
  set_anchor();
}

// Whether the stream has waited long enough for its last frame.
bool SourceNode::is_overdue(int64_t wait) const noexcept {
  const uint64_t end = end_.load(std::memory_order_relaxed);
  return end != std::numeric_limits<uint64_t>::max() &&
         static_cast<double>(clock_.now() - wait) > time_at(static_cast<double>(end));
}

void SourceNode::idle(bool quiet) noexcept {
  hold(false);
  idle_for(quiet ? 0 : config_.max_wait);
}

void SourceNode::unanswered() noexcept {
  hold(true);
  idle_for(std::max(config_.max_wait, kUnansweredWait));
}

// Reports true again each time, for consumers that arrive meanwhile.
void SourceNode::hold(bool held) noexcept {
  if (held || held_) hold_consumers(held);
  held_ = held;
}

void SourceNode::idle_for(int64_t wait) noexcept {
  if (ended_) return;
  if (!config_.fills_idle && !away_ && is_overdue(std::max(wait, config_.max_wait))) {
    return give_up();
  }
  const int64_t now = clock_.now();
  back_at_ = std::min(back_at_, now);
  uint64_t due = timeline_->idle(now, wait);
  leave_out(timeline_->take_left_out());
  if (due == 0) return;
  if (away_) {
    // Up to the device's return, and the first packet it could deliver, it is unknown whether there
    // was sound.
    const double until = timeline_->tracker().frame_at(static_cast<double>(back_at_) + kReturn) -
                         timeline_->tracker().frame_at(time_at(static_cast<double>(position_)));
    const uint64_t absent = static_cast<uint64_t>(std::max(0.0, std::ceil(until)));
    silence(std::min(due, absent), kAbsence);
    set_anchor();
    if (due <= absent) return;
    due -= absent;
    come_back();
  }
  silence(due, kRecordSilence);
  cut_ = false;  // the next sound begins without a cut
  set_anchor();
}

void SourceNode::observe(const EndpointState& endpoint) noexcept {
  if (ended_) return;
  const LifeSigns::Change change = life_.look(endpoint, clock_.now());
  if (change.muted) {
    tell(life_.muted() ? NodeEventType::kMuted : NodeEventType::kUnmuted, position_, 0);
  }
  if (change.flow) {
    tell(life_.stalled() ? NodeEventType::kStalled : NodeEventType::kFlows, position_, 0);
  }
  if (change.life) {
    const LifeSigns::Evidence evidence = life_.dead_by();
    tell(evidence != LifeSigns::Evidence::kNone ? NodeEventType::kDead : NodeEventType::kAlive,
         position_, static_cast<uint64_t>(evidence));
  }
  endpoint_.store(endpoint);
}

void SourceNode::finish() noexcept {
  if (!ended_) {
    // No more packets arrive.
    if (timeline_ && away_) {
      fill_absence(static_cast<double>(clock_.now()));
    } else if (timeline_ && config_.fills_idle) {
      idle_for(0);
    } else if (timeline_) {
      give_up();
    }
    come_back();
    settle_losses();
    ended_ = true;
    deliver_end();
  }
}

void SourceNode::leave_out(int64_t seconds) noexcept {
  if (seconds == 0) return;
  const uint64_t frames = static_cast<uint64_t>(seconds) * config_.sample_rate;
  left_out_ += seconds;
  cut_ = true;
  if (host_) {
    host_->leave_out_seconds(seconds);
    const double frame = static_cast<double>(position_);
    anchor_.store({frame, host_->time_at(frame), static_cast<double>(config_.sample_rate)});
  }
  stats_.skipped_frames.add(frames);
  tell(NodeEventType::kLeftOut, position_, frames);
}

void SourceNode::hole(uint64_t frame, uint64_t frames, bool continued) noexcept {
  if (!continued) stats_.holes.add(1);
  losses_.add(frame, frames, [this](uint64_t from, uint64_t count) { lost(from, count); });
}

void SourceNode::settle_losses() noexcept {
  losses_.settle([this](uint64_t from, uint64_t count) { lost(from, count); });
}

void SourceNode::lost(uint64_t frame, uint64_t frames) noexcept {
  stats_.hole_frames.add(frames);
  stats_.silence_frames.set(stats_.silence_frames - silences_.among(frame, frames));
  tell(NodeEventType::kHole, frame, frames);
}

void SourceNode::replaced(int64_t position, uint64_t frames) noexcept {
  if (ended_) return;
  const int64_t ago = timeline_->ago(position);
  const int64_t before = ago > 0 ? static_cast<int64_t>(to_output(static_cast<uint64_t>(ago))) : 0;
  const int64_t from = static_cast<int64_t>(position_) - before;
  const int64_t lost = static_cast<int64_t>(to_output(frames)) + std::min<int64_t>(0, from);
  if (lost <= 0) return;  // before the stream begins
  hole(static_cast<uint64_t>(std::max<int64_t>(0, from)), static_cast<uint64_t>(lost), false);
  if (!skipping_) settle_losses();
}

// If the device's timestamps have leapt, the host's timeline follows them. Returns how many of the
// device's next frames are left out.
uint32_t SourceNode::follow_leap(uint32_t frames) noexcept {
  const int64_t leap = host_ ? host_->leap(timeline_->tracker(), position_) : 0;
  if (leap < 0) {
    const uint64_t missing = to_output(static_cast<uint64_t>(-leap));
    hole(position_, missing, false);
    emit(nullptr, missing, kRecordHole);
    fade_.rise();
  }
  if (leap <= 0) return 0;
  cut_ = true;
  const uint32_t left_out = static_cast<uint32_t>(std::min<int64_t>(leap, frames));
  host_->leave_out(left_out);
  stats_.trimmed_frames.add(left_out);
  return left_out;
}

void SourceNode::silence(uint64_t device_frames, uint32_t flags) noexcept {
  uint64_t left = device_frames;
  const auto zeros = [&](uint64_t count) {
    for (left -= count; count > 0 && !ended_;) {
      const size_t block = static_cast<size_t>(std::min<uint64_t>(kBlock, count));
      convert(nullptr, block, flags);
      count -= block;
    }
  };
  device_fade_.fall();
  zeros(std::min<uint64_t>(left, device_fade_.fall_left()));
  // The converter's memory is pushed out first. The rest is skipped at once; with a fixed ratio, by
  // whole periods.
  zeros(std::min(left, ringing_));
  if (host_) {
    emit(nullptr, host_->skip_silence(timeline_->tracker(), position_, left), flags);
  } else {
    const Filter::Skip skip = converter_->skip_silence(left);
    emit(nullptr, skip.out_frames, flags);
    left -= skip.in_frames;
    zeros(left);
  }
  timeline_->advance(device_frames);
}

void SourceNode::convert(const uint8_t* data, size_t frames, uint32_t flags) noexcept {
  if (data == nullptr) {
    device_fade_.fall();
    if (flags == 0) flags = kRecordSilence;
  }
  const bool sound = data != nullptr || device_fade_.falling();
  // Silence needs no samples once the converter's output is silent too.
  const bool silent = !sound && ringing_ == 0;
  float* in = nullptr;
  if (sound) {
    in = raw_.data();
    if (data != nullptr) {
      to_float(data, device_.sample_format, in, frames * device_.channels);
      sounds_ = sounds_ || std::any_of(in, in + frames * device_.channels,
                                       [](float sample) { return sample != 0; });
      device_fade_.sound(in, frames);
    } else {
      device_fade_.silence(in, frames);
    }
    ringing_ = converter_->memory_frames();
  } else {
    ringing_ -= std::min<uint64_t>(ringing_, frames);
  }
  if (host_) host_->feed(timeline_->tracker(), rate_->rate(), position_, frames);
  const size_t room = out_.size() / config_.channels;
  for (size_t done = 0;;) {
    const Resampler::Progress made = converter_->process(
        in != nullptr ? in + done * device_.channels : nullptr, frames - done, out_.data(), room);
    done += made.consumed;
    emit(silent ? nullptr : out_.data(), made.produced, flags);
    if (done == frames && made.produced < room) break;
  }
}

// `flags`: why there is no sound. `samples` is set while sound fades to zero, or while a resampler
// rings.
void SourceNode::emit(float* samples, uint64_t frames, uint32_t flags) noexcept {
  if (ended_ || frames == 0) return;
  const uint64_t end = end_.load(std::memory_order_relaxed);
  if (position_ >= end) return end_stream();
  Record record;
  record.frames = std::min<uint64_t>(frames, end - position_);
  record.frame = position_;
  record.time = time_at(static_cast<double>(record.frame));
  record.rate = true_rate();
  record.flags = flags;
  record.pauses = config_.fills_idle;
  gate_.follow();
  if (position_ == 0) gate_.finish();
  if (samples != nullptr && !pass_gate(samples, static_cast<size_t>(record.frames))) {
    samples = nullptr;
    record.flags = kRecordSilence;
  }
  if (samples != nullptr) {
    if (flags != 0) record.flags |= kRecordFade;
    fade_.sound(samples, static_cast<size_t>(record.frames));
    give(samples, record);
  } else {
    gate_.advance(record.frames);
    fade_.fall();
    give_silence(fade_, out_, config_.channels, record,
                 [this](float* sound, const Record& part) { give(sound, part); });
  }
  if (position_ == end) end_stream();
}

void SourceNode::end_stream() noexcept {
  come_back();
  settle_losses();
  ended_ = true;
  deliver_end();
  tell(NodeEventType::kEnded, position_, 0);
}

// Works in place. Returns whether any sound is left: a stream that is not enabled is silent.
bool SourceNode::pass_gate(float* samples, size_t frames) noexcept {
  if (!gate_.moves()) return gate_.here() != 0;
  const uint32_t channels = config_.channels;
  for (size_t i = 0; i < frames; ++i) {
    gate_.advance(1);
    const auto gain = static_cast<float>(gate_.here());
    for (uint32_t c = 0; c < channels; ++c) samples[i * channels + c] *= gain;
  }
  return true;
}

void SourceNode::give(float* samples, Record record) noexcept {
  if (samples == nullptr) {
    meter_.silence(static_cast<size_t>(record.frames));
  } else if (config_.metered) {
    meter_.process(samples, static_cast<size_t>(record.frames));
  }
  const uint32_t why = record.flags & ~static_cast<uint32_t>(kRecordFade);
  if (why == kRecordSilence) {
    stats_.silence_frames.add(record.frames);
    silences_.add(record.frame, record.frames);
  }
  if (why == kAbsence) stats_.hole_frames.add(record.frames);
  position_.add(record.frames);
  deliver(samples, record);
}

void SourceNode::set_anchor() noexcept {
  const double frame = static_cast<double>(position_);
  // On the host's clock the first anchor never changes.
  if (!host_) anchor_.store({frame, time_at(frame), true_rate()});
  drift_ppm_.store(rate_->ppm(), std::memory_order_relaxed);
  stamped_.store(timeline_->stamped(), std::memory_order_relaxed);
}

// How many output frames so many frames of the device become.
uint64_t SourceNode::to_output(uint64_t device_frames) const noexcept {
  return static_cast<uint64_t>(
      std::llround(static_cast<double>(device_frames) * true_rate() / rate_->rate()));
}

double SourceNode::time_at(double frame) const noexcept {
  return host_ ? host_->time_at(frame)
               : static_cast<double>(
                     timeline_->tracker().time_at((frame - static_cast<double>(first_)) / ratio_));
}

double SourceNode::true_rate() const noexcept {
  return host_ ? config_.sample_rate : rate_->rate() * ratio_;
}

void SourceNode::tell(NodeEventType type, uint64_t frame, uint64_t frames) noexcept {
  events_->push({type, frame, frames});
}

}  // namespace patchcord
