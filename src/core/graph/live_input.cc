#include "live_input.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace patchcord {
namespace {

// A position error is corrected over kServoSeconds, sooner after the start, by at most kMaxServo of
// the rate: half a hertz at 1 kHz. In the first second the position itself is uncertain, and an
// error is hardly heard: then the limit is higher, and if that is not enough there is a jump.
constexpr double kServoSeconds = 10, kFirstServoSeconds = 0.3;
constexpr double kMaxServo = 500e-6, kMaxFirstServo = 2e-3;
constexpr double kYoungSeconds = 1;
// Not while the two clocks are still being learnt: the first position is wrong if it has been wrong
// by the same amount for kSteadySeconds. After a jump only a much greater error causes another one.
constexpr double kMaxFirstError = 1e-3;  // s
constexpr double kSteadySeconds = 0.1;
constexpr double kSteadyShare = 0.25;
constexpr double kNextError = 4;
constexpr double kMaxDrift = 5e-3;  // clocks that differ by more than 0.5 % are faulty
constexpr double kResyncSeconds = 0.2;
constexpr size_t kServoFrames = 8;  // extra input that a change of the ratio may need
constexpr int kLateLooks = 4;
constexpr double kStarvationMemory = 10e9;  // ns: three starvations within this time raise the lag

}  // namespace

LiveInput::LiveInput(std::shared_ptr<FrameQueue> queue, uint32_t rate, uint32_t channels,
                     std::unique_ptr<ChannelMap> map)
    : queue_(std::move(queue)),
      in_rate_(queue_->sample_rate()),
      out_rate_(rate),
      out_channels_(channels),
      converter_({queue_->sample_rate(), queue_->channels()}, {rate, channels},
                 ResamplerQuality::kMedium, true, std::move(map)),
      fade_(channels, rate),
      end_(queue_->channels(), queue_->sample_rate()),
      behind_end_(kMaxPull * queue_->channels()) {
  first_error_ = kMaxFirstError * in_rate_;
}

void LiveInput::follow_sink(std::shared_ptr<NodeEvents> events, double periods) {
  events_ = std::move(events);
  least_lag_ = periods + Lag::kMargin;
  lag_ = std::make_unique<Lag>(least_lag_);
  queue_->set_live(true);
}

void LiveInput::pull(float* out, size_t frames, const PullTime& when) noexcept {
  if (!lag_) return read(out, frames, when);
  read(out, frames, {when.time - lag_->ns(), when.rate, when.after_break});
  lag_->follow(static_cast<double>(frames) * 1e9 / when.rate, least_lag_, take_shortfall(),
               [this] { return take_spare(); });
  if (take_end()) events_->push({NodeEventType::kInputEnded, 0, 0});
}

// The position in the stream of the sound recorded at that time.
double LiveInput::wanted(const Record& newest, double time) const noexcept {
  return static_cast<double>(newest.frame) + (time - newest.time) * newest.rate * 1e-9;
}

double LiveInput::needed(double want, size_t frames) const noexcept {
  return want + static_cast<double>(frames) * in_rate_ / out_rate_ +
         static_cast<double>(converter_.held_frames());
}

bool LiveInput::certain(size_t frames, const PullTime& when) noexcept {
  if (ended_ || queue_->ended()) return true;
  const Record* newest = queue_->latest();
  if (newest == nullptr) return true;  // it has not begun
  const uint64_t available = queue_->available();
  if (running_) return available >= converter_.needed_for(frames) + kServoFrames;
  const double want = wanted(*newest, when.time);
  const double first = static_cast<double>(queue_->next_frame());
  const double need = needed(want, frames);
  if (first + static_cast<double>(available) < need) {
    // Frames requested before are not requested again: they would fill the queue, and leave no room
    // for the frames that are awaited.
    skip_to(want, want, when.time);
    return false;
  }
  return true;
}

void LiveInput::read(float* out, size_t frames, const PullTime& when) noexcept {
  // Both are read before latest(), so that the records from before the end or the rest are seen.
  const bool over = queue_->ended();
  bool pauses = queue_->rests();
  const Record* newest = queue_->latest();
  size_t made = 0;
  bool silent = false;
  if (newest != nullptr && !ended_) {
    rate_.store(newest->rate, std::memory_order_relaxed);
    // The silence of an idle endpoint, or of an absent one, is filled in late and ends at any time:
    // it is neither late nor lost.
    silent = (newest->flags & kRecordSilence) != 0;
    pauses = pauses || newest->pauses;
    const bool fresh = newest->frame != seen_ && !silent;
    seen_ = newest->frame;
    const double want = wanted(*newest, when.time);
    // Input frames per output frame, by the two true rates, relative to the nominal ratio.
    const double drift = std::clamp((newest->rate / when.rate) / (in_rate_ / out_rate_),
                                    1 - kMaxDrift, 1 + kMaxDrift);
    ppm_.store((drift - 1) * 1e6, std::memory_order_relaxed);
    if (running_) {
      const double at = static_cast<double>(fed_) + converter_.position();
      const double error = want - at;
      offset_us_.store(error / in_rate_ * 1e6, std::memory_order_relaxed);
      const bool young = when.time - first_ < kYoungSeconds * 1e9;
      const bool judged = young || wrong_by_ != 0;  // an error that has begun is judged to its end
      const double allowed = when.after_break ? kMaxFirstError : kResyncSeconds;
      if (std::abs(error) > allowed * in_rate_ || (judged && began_wrong(error, when.time))) {
        stats_.resyncs.add(1);
        running_ = false;
      } else {
        const double age = (when.time - started_) * 1e-9;
        const double seconds = std::clamp(age / 2, kFirstServoSeconds, kServoSeconds);
        const double limit = young ? kMaxFirstServo : kMaxServo;
        const double servo = std::clamp(error / (in_rate_ * seconds), -limit, limit);
        converter_.set_ratio(drift + servo);
      }
    }
    if (!running_) {
      fade_.fall();
      if (start(frames, want, fresh, when.time)) {
        made = silent_tail_;
        converter_.set_ratio(drift);
        fade_.silence(out, made);
        fade_.rise();
      }
      started_ = when.time;
    }
    if (running_) {
      made += produce(out + made * out_channels_, frames - made, made);
    }
  }
  if (newest == nullptr && over) ended_ = true;  // closed before its first frame
  if (made == frames) {
    // The silence of an idle endpoint is late by design.
    if (!silent) {
      spare_ = std::min(spare_, static_cast<double>(queue_->available()) * 1e9 / in_rate_);
    }
    return;
  }
  const size_t missing = frames - made;
  fade_.fall();
  fade_.silence(out + made * out_channels_, missing);
  if (running_ && queue_->ended()) ended_ = true;
  given_ = made;
  if (ended_) ended_shown_.store(true, std::memory_order_relaxed);
  running_ = false;
  if (!started_before_ || ended_ || early_) return;
  if (silent || pauses) {
    quiet_frames_ += missing;
  } else {
    lose(static_cast<int64_t>(made), missing);
    starve(missing, when.time);
  }
}

// In the first second: whether the first position was wrong, now that the right one is known.
bool LiveInput::began_wrong(double error, double time) noexcept {
  if (std::abs(error) <= first_error_) {
    wrong_by_ = 0;
    return false;
  }
  if (std::abs(error - wrong_by_) > kSteadyShare * std::abs(error)) {
    wrong_by_ = error;
    wrong_since_ = time;
  }
  if (time - wrong_since_ < kSteadySeconds * 1e9) return false;
  first_error_ = kNextError * std::abs(error);
  wrong_by_ = 0;
  return true;
}

void LiveInput::starve(size_t frames, double time) noexcept {
  if (frames == 0) return;
  stats_.starved_frames.add(frames);
  if (std::exchange(starving_, true)) return;
  stats_.starvations.add(1);
  if (time - last_starvation_ > kStarvationMemory) recent_starvations_ = 0;
  last_starvation_ = time;
  if (++recent_starvations_ >= 3) {
    shortfall_ = std::max(shortfall_, static_cast<double>(frames) * 1e9 / out_rate_);
  }
}

void LiveInput::lose(int64_t first, uint64_t frames) noexcept {
  if (frames == 0) return;
  if (loss_.frames == 0) loss_.first = first;
  const int64_t until = std::max(loss_.first + static_cast<int64_t>(loss_.frames),
                                 first + static_cast<int64_t>(frames));
  loss_.first = std::min(loss_.first, first);
  loss_.frames = static_cast<uint64_t>(until - loss_.first);
}

// Skipped frames are counted already, unless silence was delivered while it was unknown whether
// there was sound: then that sound came too late. `want`: the position of the present pull.
void LiveInput::skip_to(double frame, double want, double time) noexcept {
  const FrameQueue::Sound sound = queue_->skip_to(static_cast<uint64_t>(std::max(0.0, frame)));
  const double per_frame = out_rate_ / in_rate_;
  const auto late =
      std::min(quiet_frames_, static_cast<size_t>(static_cast<double>(sound.frames) * per_frame));
  quiet_frames_ -= late;
  const double ago = (want - static_cast<double>(sound.frame)) * per_frame;
  lose(-static_cast<int64_t>(ago), late);
  // The queue has counted the frames that it lost.
  const auto lost = static_cast<size_t>(static_cast<double>(sound.lost) * per_frame);
  starve(late - std::min(late, lost), time);
}

// Begins to read so that the first frame produced is the requested one. `silent_tail_` becomes the
// number of output frames before the stream's first one.
bool LiveInput::start(size_t frames, double want, bool fresh, double time) noexcept {
  silent_tail_ = 0;
  early_ = false;
  const double ratio = in_rate_ / out_rate_;
  const double first = static_cast<double>(queue_->next_frame());
  const double end = first + static_cast<double>(queue_->available());
  const double need = needed(want, frames);
  if (queue_->ended() && end <= want) {
    ended_ = true;
    return false;
  }
  if (end < need && !queue_->ended()) {
    // There are not enough frames yet. While packets come, this reports how late they are; a source
    // that stalls is not late. One late packet proves little, so the least of several counts.
    if (fresh) {
      const double late = (need - end) * 1e9 / in_rate_;
      least_late_ = late_looks_ == 0 ? late : std::min(least_late_, late);
      if (++late_looks_ == kLateLooks) {
        shortfall_ = std::max(shortfall_, least_late_);
        late_looks_ = 0;
      }
    }
    skip_to(want, want, time);
    return false;
  }
  if (first > want) {
    const double lead = (first - want) / ratio;
    early_ = lead >= static_cast<double>(frames);
    if (early_) return false;
    silent_tail_ = static_cast<size_t>(lead);
  } else {
    skip_to(std::round(want), want, time);
  }
  late_looks_ = 0;
  quiet_frames_ = 0;
  starving_ = false;
  // An overflow before the first pull is not a loss.
  if (!started_before_) {
    lost_before_.store(queue_->lost_frames(), std::memory_order_relaxed);
    first_ = time;
  }
  started_before_ = true;
  converter_.reset();
  fed_ = queue_->next_frame();
  running_ = true;
  return true;
}

// `at`: the frame of the pull that `out` begins with.
size_t LiveInput::produce(float* out, size_t frames, size_t at) noexcept {
  size_t made = 0;
  while (made < frames) {
    size_t room = std::min(frames - made, kMaxPull);
    float* to = out + made * out_channels_;
    FrameQueue::Span span = queue_->front(converter_.needed_for(room));
    Resampler::Progress step;
    if (span.frames == 0 && queue_->ended()) {
      // The filter still contains the end of the stream: the fade to zero pushes it out, up to the
      // last frame.
      const double left = static_cast<double>(queue_->next_frame()) -
                          (static_cast<double>(fed_) + converter_.position());
      room = std::min(room,
                      static_cast<size_t>(std::max(0.0, std::ceil(left * out_rate_ / in_rate_))));
      const size_t wanted = std::min(kMaxPull, converter_.needed_for(room));
      end_.fall();
      end_.silence(behind_end_.data(), wanted);
      step = converter_.process(behind_end_.data(), wanted, to, room);
    } else {
      step = converter_.process(span.samples, span.frames, to, room);
      if ((span.flags & kRecordLost) != 0) {
        lose(static_cast<int64_t>(at + made),
             static_cast<uint64_t>(static_cast<double>(step.consumed) * out_rate_ / in_rate_));
      }
      if (span.samples != nullptr) {
        end_.follow(span.samples, step.consumed);
      } else {
        end_.restart();
      }
      queue_->advance(step.consumed);
    }
    fed_ += step.consumed;
    made += step.produced;
    if (step.produced == 0 && step.consumed == 0) break;
  }
  fade_.sound(out, made);
  return made;
}

double LiveInput::take_shortfall() noexcept {
  const double value = shortfall_;
  shortfall_ = 0;
  return value;
}

double LiveInput::take_spare() noexcept {
  return std::exchange(spare_, std::numeric_limits<double>::infinity());
}

}  // namespace patchcord
