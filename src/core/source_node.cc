#include "source_node.h"

#include <algorithm>
#include <cmath>

namespace patchcord {
namespace {

constexpr size_t kBlock = 1024;  // device frames converted at a time

}  // namespace

SourceNode::SourceNode(Clock& clock, const Config& config, Wakeup* events)
    : clock_(clock), config_(config), wakeup_(events), meter_(config.channels, config.sample_rate) {
  anchor_.set({0, static_cast<double>(config.start), static_cast<double>(config.sample_rate)});
}

void SourceNode::open(const Format& device) {
  device_ = device;
  ratio_ = static_cast<double>(config_.sample_rate) / device.sample_rate;
  timeline_ = std::make_unique<Timeline>(device.sample_rate, config_.start, config_.fills_idle);
  rate_ = std::make_unique<SteadyRate>(device.sample_rate);
  map_first_ = config_.channels < device.channels;
  if (config_.channels != device.channels) {
    map_ = std::make_unique<ChannelMap>(device.channels, config_.channels);
  }
  const uint32_t resampled_channels = map_first_ ? config_.channels : device.channels;
  if (config_.sample_rate != device.sample_rate) {
    resampler_ = std::make_unique<Resampler>(device.sample_rate, config_.sample_rate,
                                             resampled_channels, ResamplerQuality::kHigh, false);
  }
  const size_t out_frames = static_cast<size_t>(std::ceil(kBlock * ratio_)) + 16;
  raw_.resize(kBlock * device.channels);
  mapped_.resize(kBlock * config_.channels);
  resampled_.resize(out_frames * resampled_channels);
  out_.resize(std::max(kBlock, out_frames) * config_.channels);
}

void SourceNode::packet(const void* data, uint32_t frames, int64_t position, int64_t time,
                        bool discontinuity) noexcept {
  if (ended_ || frames == 0) return;
  stats_.packets.add(1);
  if (discontinuity) stats_.hints.add(1);
  rate_->follow(timeline_->tracker(), static_cast<double>(frames) / device_.sample_rate);
  const Timeline::Placement place = timeline_->place(frames, position, time, clock_.now());
  if (place.silence > 0) {
    if (place.lost) {
      const uint64_t lost = static_cast<uint64_t>(to_output(static_cast<double>(place.silence)));
      stats_.holes.add(1);
      stats_.hole_frames.add(lost);
      tell(NodeEventType::kHole, position_, lost);
    }
    silence(place.silence, place.lost ? kRecordHole : kRecordSilence);
  }
  if (idle_) {
    idle_ = false;
    tell(NodeEventType::kResumed, position_, 0);
  }
  stats_.trimmed_frames.add(place.skip);
  const uint8_t* bytes = static_cast<const uint8_t*>(data);
  const size_t frame_bytes = bytes_per_frame(device_);
  for (size_t done = place.skip; done < frames && !ended_;) {
    const size_t block = std::min<size_t>(kBlock, frames - done);
    convert(bytes != nullptr ? bytes + done * frame_bytes : nullptr, block, 0);
    done += block;
  }
  timeline_->advance(frames - place.skip);
  set_anchor();
}

void SourceNode::idle() noexcept {
  if (ended_) return;
  const uint64_t due = timeline_->idle(clock_.now());
  if (due == 0) return;
  if (!idle_) {
    idle_ = true;
    tell(NodeEventType::kIdle, position_, 0);
  }
  silence(due, kRecordSilence);
  set_anchor();
}

void SourceNode::finish() noexcept {
  if (!ended_) {
    ended_ = true;
    deliver_end();
  }
}

void SourceNode::silence(uint64_t device_frames, uint32_t flags) noexcept {
  uint64_t left = device_frames;
  if (resampler_) {
    // The filter's memory rings out first; then whole periods of the ratio are skipped at once.
    const uint64_t ringing = std::min<uint64_t>(left, 2 * resampler_->latency_in() + 1);
    for (uint64_t done = 0; done < ringing; done += kBlock) {
      convert(nullptr, static_cast<size_t>(std::min<uint64_t>(kBlock, ringing - done)), 0);
    }
    left -= ringing;
    const Resampler::Skip skip = resampler_->skip_silence(left);
    emit(nullptr, skip.out_frames, flags);
    left -= skip.in_frames;
    for (uint64_t done = 0; done < left; done += kBlock) {
      convert(nullptr, static_cast<size_t>(std::min<uint64_t>(kBlock, left - done)), flags);
    }
  } else {
    emit(nullptr, left, flags);
  }
  timeline_->advance(device_frames);
}

void SourceNode::convert(const uint8_t* data, size_t frames, uint32_t flags) noexcept {
  // Without a resampler silence needs no samples at all.
  if (!resampler_ && data == nullptr) return emit(nullptr, frames, flags ? flags : kRecordSilence);
  const float* in = nullptr;
  if (data != nullptr) {
    to_float(data, device_.sample_format, raw_.data(), frames * device_.channels);
    in = raw_.data();
    if (map_ && map_first_) {
      map_->process(in, mapped_.data(), frames);
      in = mapped_.data();
    }
  }
  if (!resampler_) {
    if (map_ && !map_first_) {
      map_->process(in, out_.data(), frames);
      in = out_.data();
    }
    return emit(in, frames, 0);
  }
  const uint32_t channels = map_first_ ? config_.channels : device_.channels;
  const size_t room = resampled_.size() / channels;
  for (size_t done = 0;;) {
    const Resampler::Progress made = resampler_->process(
        in != nullptr ? in + done * channels : nullptr, frames - done, resampled_.data(), room);
    done += made.consumed;
    if (made.produced > 0) {
      const float* result = resampled_.data();
      if (map_ && !map_first_) {
        map_->process(result, out_.data(), made.produced);
        result = out_.data();
      }
      emit(result, made.produced, 0);
    }
    if (done == frames && made.produced < room) break;
  }
}

void SourceNode::emit(const float* samples, uint64_t frames, uint32_t flags) noexcept {
  if (ended_ || frames == 0) return;
  uint64_t count = frames;
  if (config_.duration_frames != 0) {
    count = std::min<uint64_t>(count, config_.duration_frames - position_);
  }
  if (!enabled_.load(std::memory_order_relaxed) && samples != nullptr) {
    samples = nullptr;
    flags = kRecordSilence;
  }
  if (samples != nullptr) {
    meter_.process(samples, static_cast<size_t>(count));
  } else {
    meter_.silence(static_cast<size_t>(count));
    stats_.silence_frames.add(flags == kRecordSilence ? count : 0);
  }
  const RateTracker& tracker = timeline_->tracker();
  Record record;
  record.frame = position_;
  record.frames = count;
  record.time = static_cast<double>(tracker.time_at(static_cast<double>(record.frame) / ratio_));
  record.rate = true_rate();
  record.flags = samples != nullptr ? 0 : (flags != 0 ? flags : kRecordSilence);
  position_.add(count);
  deliver(samples, record);
  if (config_.duration_frames != 0 && position_ == config_.duration_frames) {
    ended_ = true;
    deliver_end();
    tell(NodeEventType::kEnded, position_, 0);
  }
}

void SourceNode::set_anchor() noexcept {
  const RateTracker& tracker = timeline_->tracker();
  const double frame = static_cast<double>(position_);
  anchor_.set({frame, static_cast<double>(tracker.time_at(frame / ratio_)), true_rate()});
  drift_ppm_.store(rate_->ppm(), std::memory_order_relaxed);
  stamped_.store(timeline_->stamped(), std::memory_order_relaxed);
}

void SourceNode::tell(NodeEventType type, uint64_t frame, uint64_t frames) noexcept {
  events_.push({type, frame, frames});
  wakeup_->wake();
}

}  // namespace patchcord
