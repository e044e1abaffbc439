#include "written_input.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace patchcord {
namespace {

// If a writer gives less than the start fill and then stops, playing begins after this time anyway.
constexpr double kPatienceSeconds = 0.02;
// A writer that continues within this time was late; one that continues later had paused.
constexpr double kPauseSeconds = 0.1;

size_t ring_frames(uint32_t at_least) {
  size_t size = 256;
  while (size < at_least) size *= 2;
  return size;
}

}  // namespace

WrittenInput::WrittenInput(const Config& config, std::unique_ptr<ChannelMap> map,
                           std::shared_ptr<NodeEvents> events)
    : config_(config),
      in_channels_(config.format.channels),
      converter_(
          {config.format.sample_rate, in_channels_}, {config.rate, config.channels},
          ResamplerQuality::kHigh, false,
          map ? std::move(map) : masked_map(in_channels_, config.channels, config.channel_mask)),
      events_(std::move(events)),
      ring_(ring_frames(config.buffer_frames) * config.format.channels),
      mask_(ring_.size() / config.format.channels - 1),
      fade_(config.channels, config.rate) {}

size_t WrittenInput::write(const void* data, size_t frames) noexcept {
  const uint64_t head = head_.load(std::memory_order_relaxed);
  const uint64_t used = head - tail_.load(std::memory_order_acquire);
  const size_t room = used >= config_.buffer_frames ? 0 : config_.buffer_frames - used;
  const size_t count = std::min(frames, room);
  const size_t at = head & mask_;
  const size_t first = std::min(count, mask_ + 1 - at);
  const size_t samples = first * in_channels_;
  to_float(data, config_.format.sample_format, &ring_[at * in_channels_], samples);
  to_float(
      static_cast<const uint8_t*>(data) + samples * bytes_per_sample(config_.format.sample_format),
      config_.format.sample_format, ring_.data(), (count - first) * in_channels_);
  head_.store(head + count, std::memory_order_release);
  stats_.written_frames.add(count);
  return count;
}

void WrittenInput::clear(uint32_t ramp_frames) noexcept {
  clear_ramp_.store(ramp_frames, std::memory_order_relaxed);
  clear_to_.store(head_.load(std::memory_order_relaxed), std::memory_order_release);
}

size_t WrittenInput::ready_frames() const noexcept {
  const size_t frames = queued();
  const double ratio = static_cast<double>(config_.rate) / config_.format.sample_rate;
  if (ended_.load(std::memory_order_acquire)) return left_inside(frames);
  const double usable = static_cast<double>(frames) - converter_.position() -
                        static_cast<double>(converter_.held_frames());
  size_t count = usable <= 0 ? 0 : static_cast<size_t>(usable * ratio) + 1;
  while (count > 0 && converter_.needed_for(count) > frames) --count;
  return count;
}

// The output frames still to come when `queued` more are all that follows: a finished stream has
// exactly round(in x ratio) of them.
size_t WrittenInput::left_inside(uint64_t queued) const noexcept {
  const double length =
      std::round(static_cast<double>(taken_ + queued) * config_.rate / config_.format.sample_rate);
  return static_cast<size_t>(std::max(0.0, length - static_cast<double>(made_)));
}

size_t WrittenInput::produce(float* out, size_t frames) noexcept {
  size_t made = 0;
  while (made < frames) {
    // No more audio comes for now. The end of an utterance must not be held back until the next
    // one.
    const bool ended = ended_.load(std::memory_order_acquire);
    const bool complete = ended || !pending_.load(std::memory_order_acquire);
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    const uint64_t stored = head_.load(std::memory_order_acquire) - tail;
    const size_t at = tail & mask_;
    const size_t span = static_cast<size_t>(std::min<uint64_t>(stored, mask_ + 1 - at));
    const float* in = &ring_[at * in_channels_];
    size_t room = std::min(frames - made, kMaxPull);
    float* to = out + made * config_.channels;
    Resampler::Progress step{0, 0};
    if (span > 0) {
      step = converter_.process(in, span, to, room);
      taken_ += step.consumed;
    } else if (complete) {
      // The end is inside the converter: zeros push it out, to the exact length.
      room = std::min(room, left_inside(0));
      step.produced = converter_.process(nullptr, converter_.needed_for(room), to, room).produced;
    }
    if (span > 0) {
      tail_.store(tail + step.consumed, std::memory_order_release);
      stats_.played_frames.add(step.consumed);
    }
    made_ += step.produced;
    made += step.produced;
    if (step.produced == 0 && step.consumed == 0) {
      if (ended && stored == 0 && !fade_.falling()) {
        finished_.store(true, std::memory_order_release);
      }
      if (complete && stored == 0 && taken_ > 0) {
        converter_.reset();
        taken_ = made_ = 0;
      }
      break;
    }
  }
  return made;
}

// Discards the audio that clear() removed: fades it out, then plays none of it. Returns the frames
// of the fade.
size_t WrittenInput::discard(float* out, size_t frames) noexcept {
  const uint64_t to = clear_to_.load(std::memory_order_acquire);
  if (to != cleared_) {
    cleared_ = to;
    ramp_length_ = ramp_left_ = idle_ ? 0 : clear_ramp_.load(std::memory_order_relaxed);
  }
  const uint64_t here = tail_.load(std::memory_order_relaxed);
  if (here >= cleared_) return 0;
  const uint64_t left = (cleared_ - here) * config_.rate / config_.format.sample_rate;
  const size_t wanted = std::min(frames, ramp_left_);
  const size_t made = produce(out, static_cast<size_t>(std::min<uint64_t>(wanted, left)));
  for (size_t i = 0; i < made; ++i, --ramp_left_) {
    const float gain = static_cast<float>(ramp_left_ - 1) / static_cast<float>(ramp_length_);
    for (uint32_t c = 0; c < config_.channels; ++c) out[i * config_.channels + c] *= gain;
  }
  fade_.sound(out, made);
  if (made < wanted || tail_.load(std::memory_order_relaxed) >= cleared_) ramp_left_ = 0;
  if (ramp_left_ > 0) return made;
  const uint64_t tail = tail_.load(std::memory_order_relaxed);
  if (tail < cleared_) tail_.store(cleared_, std::memory_order_release);
  // The audio that is still in the converter is faded in together with the next.
  fade_.fall();
  fade_.rise();
  return made;
}

void WrittenInput::pull(float* out, size_t frames, const PullTime& when) noexcept {
  given_ = pull_rest(out, frames, when);
  std::fill_n(out + given_ * config_.channels, (frames - given_) * config_.channels, 0.0f);
}

size_t WrittenInput::pull_rest(float* out, size_t frames, const PullTime& when) noexcept {
  if (finished()) return 0;
  const uint32_t channels = config_.channels;
  const size_t discarded = discard(out, frames);
  if (discarded == frames) return frames;
  out += discarded * channels;
  frames -= discarded;
  const double at = when.frame + static_cast<double>(discarded);
  if (idle_) {
    const size_t fill = queued();
    waited_ = fill > 0 && fill == waiting_fill_ ? waited_ + frames : 0;
    waiting_fill_ = fill;
    if (closing() ||
        (fill > 0 && (fill >= config_.start_frames ||
                      static_cast<double>(waited_) >= kPatienceSeconds * config_.rate))) {
      idle_ = false;
      judge_gap(true, at);
      gap_ = false;
    }
  }
  size_t made = 0;
  if (!idle_) {
    made = produce(out, frames);
    fade_.sound(out, made);
  }
  if (finished()) {
    idle_ = true;
    judge_gap(false, at);
  } else if (made < frames) {
    run_dry(out + made * channels, frames - made, at + static_cast<double>(made));
    made = frames;
  }
  const bool low = queued() <= config_.buffer_frames / 2;
  if (low && !low_told_) events_->push({NodeEventType::kLowWater, stats_.played_frames, 0});
  low_told_ = low;
  return discarded + made;
}

// The queue is empty: fades out the sound, if the writer had more to give.
void WrittenInput::run_dry(float* out, size_t frames, double at) noexcept {
  if (!idle_) {
    idle_ = gap_ = true;
    gap_counted_ = false;
    waiting_fill_ = 0;
    awaited_ = !closing() && pending_.load(std::memory_order_acquire);
    if (awaited_) fade_.fall();
  }
  fade_.silence(out, frames);
  if (awaited_) fade_.rise();
  if (!gap_) return stats_.silent_frames.add(frames);
  gap_frames_ += frames;
  if (static_cast<double>(gap_frames_) < kPauseSeconds * config_.rate) return;
  judge_gap(awaited_, at + static_cast<double>(frames));
  gap_ = awaited_;
}

// Counts the silence of a gap so far, which ends at the sink's frame `end`.
void WrittenInput::judge_gap(bool underrun, double end) noexcept {
  const uint64_t frames = std::exchange(gap_frames_, 0);
  if (frames == 0) return;
  if (!underrun) return stats_.silent_frames.add(frames);
  if (!std::exchange(gap_counted_, true)) stats_.underruns.add(1);
  stats_.underrun_frames.add(frames);
  const double start = std::max(0.0, std::round(end) - static_cast<double>(frames));
  events_->push({NodeEventType::kUnderrun, static_cast<uint64_t>(start), frames});
}

}  // namespace patchcord
