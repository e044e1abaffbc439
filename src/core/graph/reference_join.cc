#include "reference_join.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace patchcord {
namespace {

constexpr double kTurnSeconds = 0.01;  // joined in one turn
constexpr double kBufferSeconds = 1;   // in addition to the longest wait
// A loopback delivers nothing while nothing plays, and its silence is certain only when it is late.
// A longer wait would delay the microphone for as long as nothing plays.
constexpr double kPausedWait = 100e6;
// Seconds. If the microphone was silent for longer, only the end of the silence is joined: that
// shows the canceller what was played shortly before the sound returns.
constexpr double kJoinedSilence = 1;

size_t frames_of(double seconds, uint32_t rate) { return static_cast<size_t>(seconds * rate); }

double longest_wait(const ReferenceJoin::Config& config) {
  return std::max(config.max_wait_ns, static_cast<double>(kUnansweredWait));
}

}  // namespace

ReferenceJoin::ReferenceJoin(const Config& config, std::shared_ptr<LiveInput> reference)
    : config_(config),
      reference_(std::move(reference)),
      microphone_(config.channels, config.sample_rate,
                  frames_of(kBufferSeconds + longest_wait(config) * 1e-9, config.sample_rate)),
      rate_(config.sample_rate),
      read_(kMaxPull * config.reference_channels),
      joined_(kMaxPull * (config.channels + config.reference_channels)) {}

void ReferenceJoin::push(const float* samples, const Record& record) noexcept {
  microphone_.push(samples, record);
  rate_ = record.rate;
  pauses_ = record.pauses;
  newest_ = record.time + static_cast<double>(record.frames) * 1e9 / record.rate;
  join(false);
}

void ReferenceJoin::end() noexcept {
  microphone_.end();
  join(true);
  deliver_end();
}

void ReferenceJoin::join(bool all) noexcept {
  const bool live = has_live_consumer();
  live_.store(live, std::memory_order_relaxed);
  reference_->queue()->set_live(live);
  const size_t joined = frames_of(kJoinedSilence, config_.sample_rate);
  double waiting = 0;
  for (;;) {
    const FrameQueue::Span span = microphone_.front(SIZE_MAX);
    if (span.frames == 0) break;
    if (span.samples == nullptr && span.frames > 2 * joined) {
      skip(span, span.frames - joined);
      continue;
    }
    const size_t turn = std::min(kMaxPull, frames_of(kTurnSeconds, config_.sample_rate));
    const size_t frames = std::min(all ? turn : due(span, live), std::min(turn, span.frames));
    if (frames == 0) {
      waiting = newest_ - span.time;
      break;
    }
    give(span, frames, live);
  }
  waiting_ns_.store(waiting, std::memory_order_relaxed);
}

// How many frames of the span no longer wait.
size_t ReferenceJoin::due(const FrameQueue::Span& span, bool live) noexcept {
  if (live) {
    const double old = newest_ - lag_.ns() - span.time;
    return static_cast<size_t>(std::max(0.0, std::round(old * rate_ * 1e-9)));
  }
  const size_t turn =
      std::min({kMaxPull, frames_of(kTurnSeconds, config_.sample_rate), span.frames});
  const bool certain = reference_->certain(turn, {span.time + config_.lead_ns, rate_});
  if (certain) return turn;
  const Record* newest = reference_->queue()->latest();
  const bool pauses = newest != nullptr && newest->pauses;
  double wait = pauses ? std::min(kPausedWait, config_.max_wait_ns) : config_.max_wait_ns;
  if (reference_->queue()->held()) wait = std::max(wait, static_cast<double>(kUnansweredWait));
  return newest_ - span.time >= wait ? turn : 0;
}

Record ReferenceJoin::record_of(const FrameQueue::Span& span, size_t frames) const noexcept {
  Record record;
  record.frame = span.frame;
  record.frames = frames;
  record.time = span.time;
  record.rate = rate_;
  record.flags = span.flags;
  record.pauses = pauses_;
  return record;
}

void ReferenceJoin::skip(const FrameQueue::Span& span, size_t frames) noexcept {
  deliver(nullptr, record_of(span, frames));
  microphone_.advance(frames);
}

void ReferenceJoin::give(const FrameQueue::Span& span, size_t frames, bool live) noexcept {
  reference_->pull(read_.data(), frames, {span.time + config_.lead_ns, rate_});
  if (live) {
    lag_.follow(static_cast<double>(frames) * 1e9 / rate_, 0, reference_->take_shortfall(),
                [this] { return reference_->take_spare(); });
  }
  const size_t own = config_.channels, other = config_.reference_channels;
  for (size_t i = 0; i < frames; ++i) {
    float* const to = &joined_[i * (own + other)];
    for (size_t c = 0; c < own; ++c)
      to[c] = span.samples == nullptr ? 0 : span.samples[i * own + c];
    for (size_t c = 0; c < other; ++c) to[own + c] = read_[i * other + c];
  }
  Record record = record_of(span, frames);
  if (record.flags != 0) record.flags |= kRecordFade;  // samples beside a silence
  microphone_.advance(frames);
  deliver(joined_.data(), record);
}

}  // namespace patchcord
