#include "mixer_node.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "../signal/format.h"
#include "../time/clock.h"

namespace patchcord {
namespace {

constexpr double kPumpSeconds = 0.01;
constexpr uint32_t kLossesInOneSecond = 2;  // at most, then they are joined
constexpr double kPumpPatience = 1e9;       // a pump later than this skips what it missed
constexpr double kMaxFill = 60e9;  // ns; the mix leaves out longer gaps, and its times step
constexpr int64_t kPumpRetry = kNsPerMs;
// time between two checks whether late audio has arrived
constexpr int64_t kPumpTurn = 10 * kNsPerMs;
// How many blocks one turn mixes, if more are due. Linux ends a process whose real-time thread
// computes for 200 ms without a wait (RLIMIT_RTTIME, as RealtimeKit demands it).
constexpr int kMostBlocks = 25;
constexpr int64_t kStandstill = 100 * kNsPerMs;  // a turn later than this: the process did not run

}  // namespace

MixerNode::MixerNode(const Config& config, Listener* listener)
    : config_(config),
      listener_(listener),
      meter_(config.channels, config.sample_rate),
      scratch_(kMaxPull * config.channels),
      pumped_(kMaxPull * config.channels),
      mixed_(config.channels, config.sample_rate),
      gone_(config.channels, config.sample_rate),
      went_(config.channels, config.sample_rate),
      missed_(config.channels, config.sample_rate),
      driven_(config.channels, config.sample_rate),
      lag_(config.latency_ns) {
  if (config.limiter) {
    limiter_ = std::make_unique<Limiter>(config.sample_rate, config.channels, kLimiterCeiling,
                                         config.peaks);
    head_ = delay_frames();
  }
}

void MixerNode::publish(std::vector<Input> inputs) {
  inputs_.exchange(std::make_unique<std::vector<Input>>(std::move(inputs)));
}

// How many of the `frames` mixed from `frame` on come before the input's first one. If the input
// has nothing to mix, all of them.
size_t MixerNode::wait_of(const Input& input, uint64_t frame, size_t frames) noexcept {
  if (input.live) return input.live->over() ? frames : 0;
  if (!input.written || input.written->finished()) return frames;
  const uint64_t wait = input.start_frame - std::min(input.start_frame, frame);
  return static_cast<size_t>(std::min<uint64_t>(frames, wait));
}

// `frame`: the frame of the mix at which this sum comes out.
void MixerNode::mix(std::vector<Input>& inputs, Pace pace, uint64_t frame, float* out,
                    size_t frames, const PullTime& when) noexcept {
  const uint32_t channels = config_.channels;
  std::fill_n(out, frames * channels, 0.0f);
  ++turn_;
  size_t heard = 0, going_on = 0;
  for (const Input& input : inputs) {
    if (wait_of(input, frame, frames) == frames) continue;
    ++heard;
    if (input.controls->goes_on(input.connection, turn_)) ++going_on;
  }
  // Written audio is mixed unchanged.
  if (pace == Pace::kClock && going_on < heard_) let_go(inputs);
  for (Input& input : inputs) {
    const size_t wait = wait_of(input, frame, frames);
    if (wait == frames) continue;
    Pullable* source = input.live ? static_cast<Pullable*>(input.live.get()) : input.written.get();
    InputControls& controls = *input.controls;
    source->pull(scratch_.data(), frames - wait, when);
    if (input.live ? input.live->over() : input.written->finished()) {
      const size_t given = input.live ? input.live->given() : input.written->given();
      inputs_end_ = std::max(inputs_end_, frame + wait + given);
    }
    controls.process(scratch_.data(), frames - wait, wait);
    float* const to = out + wait * channels;
    for (size_t i = 0; i < (frames - wait) * channels; ++i) to[i] += scratch_[i];
  }
  mixed_.add(out, frames);
  quiet_ = heard == 0 && !went_.falling();
  heard_ = heard;
  went_.sound(out, frames);
  if (limiter_) {
    limiter_->process(out, frames);
  }
  if (config_.metered) meter_.process(out, frames);
}

// Fades out the sound of the inputs that have left: the recent mix without the recent sound of the
// inputs that continue.
void MixerNode::let_go(const std::vector<Input>& inputs) noexcept {
  gone_ = mixed_;  // of the same length, so nothing is allocated
  for (const Input& input : inputs) {
    const Recent* const recent = input.controls->recent_in(turn_);
    if (recent != nullptr) gone_.subtract(*recent);
  }
  mixed_.subtract(gone_);
  went_.fall(gone_);
}

void MixerNode::pull(float* out, size_t frames, const PullTime& when) noexcept {
  pulled_.store(true, std::memory_order_release);
  if (mixing_.test_and_set(std::memory_order_acquire)) {
    driven_.fall();
    driven_.silence(out, frames);
    driven_.rise();
    return;
  }
  if (driver_changed_.exchange(false, std::memory_order_acq_rel) || pumped_last_) {
    pumped_last_ = false;
    silence_left_ = take_over(when);
    if (position_ > 0) driven_.restart();
  } else if (when.after_break && make_good(when)) {
    driven_.fall();
    driven_.rise();
  }
  const size_t silence = std::min(silence_left_, frames);
  silence_left_ -= silence;
  driven_.silence(out, silence);
  if (silence < frames) {
    // The driver gets it after the recorders did.
    float* const mixed = out + silence * config_.channels;
    mix_live(mixed, frames - silence,
             {when.time + static_cast<double>(silence) * 1e9 / when.rate, when.rate});
    driven_.sound(mixed, frames - silence);
  }
  mixing_.clear(std::memory_order_release);
}

// A change of master moves no time: the mix continues at its present frame. A master that is ahead
// of the mix waits for it, in silence; after one that is behind, the mix is late at first. Returns
// the frames to wait.
size_t MixerNode::take_over(const PullTime& when) noexcept {
  const double continued = when.time - content_next_;
  if (continued <= Lag::kMost) lag_.raise(continued);
  const double ahead = lag_.ns() - continued;
  return ahead > 0 && ahead <= Lag::kMost ? static_cast<size_t>(ahead * 1e-9 * when.rate) : 0;
}

// A master that was silent continues at the frame where it would be without the silence. The frames
// that it did not play are mixed for recordings, and nothing counts as late for it after the break.
// A mix of written audio only does not skip anything, because all of it should be played. Returns
// whether there was a break.
bool MixerNode::make_good(const PullTime& when) noexcept {
  {
    Published<std::vector<Input>>::Reading inputs(inputs_);
    const auto is_live = [](const Input& input) { return input.live != nullptr; };
    if (!inputs || std::none_of(inputs->begin(), inputs->end(), is_live)) return false;
  }
  double next = content_next_ + lag_.ns();
  if (when.time - next > Lag::kMost) return false;
  const double frame = 1e9 / when.rate;
  bool any = false;
  while (when.time - next >= frame) {
    const size_t block = std::min(kMaxPull, static_cast<size_t>((when.time - next) / frame));
    mix_live(pumped_.data(), block, {next, when.rate});
    next += static_cast<double>(block) * frame;
    any = true;
  }
  return any;
}

double MixerNode::least_lag(const std::vector<Input>& inputs) const noexcept {
  double least = config_.latency_ns;
  for (const Input& input : inputs) {
    if (input.live) least = std::max(least, std::min(input.latency_ns, Lag::kMost));
  }
  return least;
}

// `live`: a device plays the mix, so the mix does not wait for late audio.
void MixerNode::prepare(bool live) noexcept {
  Published<std::vector<Input>>::Reading inputs(inputs_);
  if (!inputs) return;
  lag_.raise(least_lag(*inputs));
  for (const Input& input : *inputs) {
    if (input.live) input.live->queue()->set_live(live);
  }
}

// For the driver: mixes the audio that is as old as the lag.
void MixerNode::mix_live(float* out, size_t frames, const PullTime& when) noexcept {
  prepare(true);
  mix_at(out, frames, {when.time - lag_.ns(), when.rate});
}

// Mixes the audio recorded at `when`.
void MixerNode::mix_at(float* out, size_t frames, const PullTime& when) noexcept {
  const double elapsed = static_cast<double>(frames) * 1e9 / when.rate;
  bool silent = !limiter_ && missed_.passes();
  bool ended = false;
  {
    Published<std::vector<Input>>::Reading inputs(inputs_);
    if (inputs) {
      if (rested_ > 0 && !all_ended(*inputs)) go_on();
      double shortfall = 0;
      mix(*inputs, Pace::kClock, next_frame(), out, frames, when);
      count_losses(*inputs);
      for (const Input& input : *inputs) {
        if (input.live) shortfall = std::max(shortfall, input.live->take_shortfall());
        follow_ends(input);
      }
      const double least = least_lag(*inputs);
      // With a driver, running inputs follow the new position slowly, without a jump; the late one
      // begins there.
      lag_.follow(elapsed, least, shortfall, [&inputs] {
        double spare = std::numeric_limits<double>::infinity();
        for (const Input& input : *inputs) {
          if (input.live) spare = std::min(spare, input.live->take_spare());
        }
        return spare;
      });
      silent = silent && quiet_;
      ended = all_ended(*inputs);
    } else {
      std::fill_n(out, frames * config_.channels, 0.0f);
    }
  }
  content_next_ = when.time + elapsed;
  const double delay = static_cast<double>(delay_frames()) * 1e9 / config_.sample_rate;
  // The first frame is the first one mixed: the limiter's initial silence is dropped.
  const size_t dropped = std::min(head_, frames);
  head_ -= dropped;
  Record record;
  record.frame = position_;
  record.frames = frames - dropped;
  record.time = when.time - delay + static_cast<double>(dropped) * 1e9 / when.rate;
  record.rate = when.rate;
  if (silent) record.flags = kRecordSilence;
  deliver_mixed(out + dropped * config_.channels, record, ended);
}

// Delivers up to the end of the inputs. After the end of the last one the mix rests until
// JavaScript handles it: then the mix ends there, or continues with another input.
void MixerNode::deliver_mixed(float* samples, Record record, bool ended) noexcept {
  if (ended) {
    const uint64_t left = inputs_end_ - std::min<uint64_t>(inputs_end_, position_);
    const uint64_t wanted = rested_ > 0 ? 0 : std::min(record.frames, left);
    if (rested_ == 0 && record.frames > wanted) {
      rests_since_ = record.time + static_cast<double>(wanted) * 1e9 / record.rate;
      rest_consumers(true);
    }
    rested_ += record.frames - wanted;
    record.frames = wanted;
  }
  if (record.frames == 0) return;
  missed_.sound(samples, static_cast<size_t>(record.frames));
  anchor_.store({static_cast<double>(record.frame), record.time, record.rate});
  position_.add(record.frames);
  deliver((record.flags & kRecordSilence) != 0 ? nullptr : samples, record);
}

bool MixerNode::all_ended(const std::vector<Input>& inputs) const noexcept {
  if (!config_.ends_with_inputs) return false;
  if (inputs.empty()) return some_ended_.load(std::memory_order_relaxed);
  return std::all_of(inputs.begin(), inputs.end(), [](const Input& input) {
    return input.live      ? input.live->over()
           : input.written ? input.written->finished()
                           : input.ended;
  });
}

// The mix rested meanwhile: it delivers silence, and no frame was lost.
void MixerNode::go_on() noexcept {
  const Record record{position_, rested_, rests_since_, static_cast<double>(config_.sample_rate),
                      kRecordSilence};
  missed_.fall();
  give_silence(missed_, scratch_, config_.channels, record,
               [this](const float* sound, const Record& part) { deliver(sound, part); });
  position_.add(rested_);
  rested_ = 0;
  rest_consumers(false);
}

void MixerNode::finish() noexcept {
  // The limiter may still contain the end of the last input.
  if (content_next_ != 0 && has_ended()) {
    const uint64_t left = inputs_end_ - std::min<uint64_t>(inputs_end_, position_);
    for (uint64_t done = 0; done < left + head_;) {
      const size_t block = static_cast<size_t>(std::min<uint64_t>(kMaxPull, left + head_ - done));
      mix_at(pumped_.data(), block, {content_next_, static_cast<double>(config_.sample_rate)});
      done += block;
    }
  }
  settle_losses();
  deliver_end();
}

bool MixerNode::has_ended() noexcept {
  Published<std::vector<Input>>::Reading inputs(inputs_);
  return inputs && rested_ == 0 && all_ended(*inputs);
}

void MixerNode::count_losses(const std::vector<Input>& inputs) noexcept {
  const int64_t here = static_cast<int64_t>(next_frame());
  for (const Input& input : inputs) {
    if (!input.live) continue;
    const LiveInput::Loss loss = input.live->take_loss();
    if (loss.frames == 0) continue;
    lost_at_ = position_;
    losses_.add(static_cast<uint64_t>(std::max<int64_t>(0, here + loss.first)), loss.frames,
                [this](uint64_t frame, uint64_t frames) { replaced(frame, frames); });
  }
  // Losses come in pieces, which are joined into one event.
  if (position_ - lost_at_ > config_.sample_rate / kLossesInOneSecond) settle_losses();
}

void MixerNode::settle_losses() noexcept {
  losses_.settle([this](uint64_t frame, uint64_t frames) { replaced(frame, frames); });
}

void MixerNode::replaced(uint64_t frame, uint64_t frames) noexcept {
  lost_.add(frames);
  if (listener_ != nullptr) listener_->on_replaced(frame, frames);
}

// The end of an input's stream is reported once; JavaScript removes the input.
void MixerNode::follow_ends(const Input& input) noexcept {
  const bool over =
      input.live ? input.live->take_end() : input.written && input.written->take_end();
  if (over && input.events) input.events->push({NodeEventType::kInputEnded, position_, 0});
}

int64_t MixerNode::pump(int64_t now) noexcept {
  if (pulled_.load(std::memory_order_acquire)) return kNever;
  if (mixing_.test_and_set(std::memory_order_acquire)) return now + kPumpRetry;
  if (now - kStandstill > next_turn_) resumed_at_ = now;
  next_turn_ = mix_due(now, !has_live_consumer(), kMostBlocks);
  mixing_.clear(std::memory_order_release);
  return next_turn_;
}

void MixerNode::begin_at(int64_t time) noexcept {
  if (content_next_ != 0) return;
  driver_changed_.store(false, std::memory_order_release);
  pumped_last_ = true;
  content_next_ = static_cast<double>(time);
}

void MixerNode::flush(int64_t now) noexcept {
  if (content_next_ != 0 && pumped_last_) mix_due(now, false, std::numeric_limits<int>::max());
}

// The rate of the first live input's clock, else of the host's.
double MixerNode::pump_rate() noexcept {
  const double rate = config_.sample_rate;
  Published<std::vector<Input>>::Reading inputs(inputs_);
  if (config_.host_clock || !inputs) return rate;
  for (const Input& input : *inputs) {
    if (!input.live || input.live->rate() == 0) continue;
    return input.live->rate() * rate / input.live->queue()->sample_rate();
  }
  return rate;
}

bool MixerNode::certain(size_t frames, const PullTime& when) noexcept {
  Published<std::vector<Input>>::Reading inputs(inputs_);
  return !inputs || std::all_of(inputs->begin(), inputs->end(), [&](const Input& input) {
    return !input.live || input.live->certain(frames, when);
  });
}

// A mix that no sink pulls continues frame by frame. Each frame is as old as the lag, or older if
// the mix `waits`: until all inputs have it, or the wait was long enough. While the process stood
// still it did not wait: other threads must still read the audio of that time.
int64_t MixerNode::mix_due(int64_t now, bool waits, int most_blocks) noexcept {
  const double rate = config_.sample_rate;
  const double start = static_cast<double>(now);
  prepare(!waits);
  if (driver_changed_.exchange(false, std::memory_order_acq_rel) || !pumped_last_) {
    pumped_last_ = true;
    // The frame at which a sink stopped pulling: everything due since then is mixed at once.
    const double due = start - lag_.ns();
    if (content_next_ == 0 || std::abs(due - content_next_) > kPumpPatience) content_next_ = due;
  }
  // A mix that waits for late audio leaves out nothing that its inputs may still have.
  const double late = start - lag_.ns() - content_next_;
  if (late > (waits ? kMaxFill : kPumpPatience + config_.max_wait_ns)) {
    const uint64_t missed = static_cast<uint64_t>(late * rate * 1e-9);
    skipped_.add(missed);
    miss(missed, late <= kMaxFill);
    content_next_ += static_cast<double>(missed) * 1e9 / rate;
  }
  const size_t block = std::min(kMaxPull, static_cast<size_t>(rate * kPumpSeconds));
  for (int blocks = 0;; ++blocks) {
    const double due = content_next_ + lag_.ns();
    if (due > start) return static_cast<int64_t>(due) + 1;
    if (blocks >= most_blocks) return now + kPumpRetry;
    const PullTime when{content_next_, pump_rate()};
    if (waits && !certain(block, when) && is_worth_waiting(due, now)) return now + kPumpTurn;
    if (std::exchange(held_, false)) hold_consumers(false);
    mix_at(pumped_.data(), block, when);
  }
}

// Whether to wait for audio that is due and has not arrived. While the process stood still the mix
// did not wait: other threads must still read the audio of that time. The mix waits longer for an
// input whose system does not answer, and when it answers, it must deliver first.
bool MixerNode::is_worth_waiting(double due, int64_t now) noexcept {
  const double time = static_cast<double>(now);
  const bool held = has_held_input();
  if (held || held_) hold_consumers(held);
  held_ = held;
  if (held && time < due + static_cast<double>(kUnansweredWait)) answered_at_ = now;
  const double from =
      std::max({due, static_cast<double>(resumed_at_), static_cast<double>(answered_at_)});
  return time < from + config_.max_wait_ns;
}

bool MixerNode::has_held_input() noexcept {
  Published<std::vector<Input>>::Reading inputs(inputs_);
  return inputs && std::any_of(inputs->begin(), inputs->end(), [](const Input& input) {
           return input.live && input.live->queue()->held() && !input.live->queue()->ended();
         });
}

// These frames were not mixed: a hole in recordings of the mix, or a step of its times.
void MixerNode::miss(uint64_t frames, bool filled) noexcept {
  if (rested_ > 0) {
    rested_ += frames;
    return;
  }
  settle_losses();
  if (listener_ != nullptr) listener_->on_missed(position_, frames, filled);
  if (!filled) return;
  losses_.told_until(position_ + frames);
  lost_.add(frames);
  const Record record{position_, frames, content_next_, static_cast<double>(config_.sample_rate),
                      kRecordHole};
  missed_.fall();
  give_silence(missed_, pumped_, config_.channels, record,
               [this](const float* samples, const Record& part) { deliver(samples, part); });
  position_.add(frames);
  missed_.rise();
}

// How many frames can be mixed now; `ending`: they are the last.
size_t MixerNode::ready_frames(std::vector<Input>& inputs, bool* ending) noexcept {
  size_t running = SIZE_MAX, last = 0;
  for (const Input& input : inputs) {
    // An input without any written audio yet holds the mix. Otherwise it would begin at whichever
    // frame the mix has reached by then.
    const size_t ready = input.written ? input.written->ready_frames() : 0;
    const bool closing = input.written && input.written->closing();
    const auto wait = static_cast<size_t>(input.start_frame - std::min(input.start_frame, fed_));
    if (!closing) {
      running = std::min(running, wait + ready);
    } else if (ready > 0) {
      last = std::max(last, wait + ready);
    }
  }
  *ending = running == SIZE_MAX;
  if (*ending) {
    // Once the inputs are exhausted, silence pushes out the limiter's delay.
    if (last > 0) end_ = std::max(end_, fed_ + last);
    return static_cast<size_t>(end_ - std::min(end_, given_));
  }
  const uint64_t reachable = fed_ + running;
  return static_cast<size_t>(reachable - std::min(reachable, given_ + delay_frames()));
}

size_t MixerNode::mix_written(size_t frames) noexcept {
  Published<std::vector<Input>>::Reading inputs(inputs_);
  if (!inputs || inputs->empty()) return 0;
  bool ending;
  const size_t count = std::min({frames, consumer_room(), ready_frames(*inputs, &ending)});
  for (size_t done = 0; done < count;) {
    // The limiter's delay is dropped at the start; at the end, silence pushes it out.
    const size_t block = std::min(kMaxPull, count - done + head_);
    mix(*inputs, Pace::kWriters, fed_, pumped_.data(), block,
        {0, static_cast<double>(config_.sample_rate)});
    for (const Input& input : *inputs) follow_ends(input);
    const size_t dropped = std::min(head_, block);
    head_ -= dropped;
    Record record;
    record.frame = position_;
    record.frames = block - dropped;
    record.rate = config_.sample_rate;
    position_.add(record.frames);
    deliver(&pumped_[dropped * config_.channels], record);
    done += block - dropped;
    fed_ += block;
    if (!ending) end_ = fed_;
  }
  given_ += count;
  return count;
}

bool MixerNode::written_out() noexcept {
  Published<std::vector<Input>>::Reading inputs(inputs_);
  if (!inputs || inputs->empty()) return false;
  bool ending;
  return ready_frames(*inputs, &ending) == 0 && ending;
}

}  // namespace patchcord
