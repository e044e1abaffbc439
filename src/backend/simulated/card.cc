#include "card.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace patchcord {

Card::Buffers::Buffers(const Format& format, uint32_t period_frames, size_t sides)
    : heard(sides), played(sides) {
  const size_t samples = static_cast<size_t>(period_frames) * format.channels;
  for (std::vector<float>& buffer : heard) buffer.resize(samples);
  for (std::vector<float>& buffer : played) buffer.resize(samples);
  scratch.resize(samples);
  wire.resize(samples * bytes_per_sample(format.sample_format));
}

Card::Card(Clock& clock, const Format& format, uint32_t period_frames, double ppm, int64_t phase_ns,
           uint64_t seed, const std::vector<Side>& sides)
    : clock_(clock),
      seed_(seed),
      sides_(sides.size()),
      format_(format),
      period_(period_frames),
      samples_(clock.now() - phase_ns, format.sample_rate, ppm) {
  Buffers buffers(format, period_frames, sides_);
  scratch_.swap(buffers.scratch);
  wire_.swap(buffers.wire);
  for (size_t i = 0; i < sides_; ++i) {
    devices_[i].side = sides[i];
    devices_[i].heard.swap(buffers.heard[i]);
    devices_[i].played.swap(buffers.played[i]);
  }
  task_ = clock.start("patchcord-sim", Priority::kAudio, [this](int64_t now) { return step(now); });
}

// Called by the threads that post commands.

void Card::post(std::function<void()> command) {
  commands_.post(std::move(command));
  task_->wake();
}

void Card::publish(size_t side) {
  post([this, side, members = posted_members_[side]]() mutable {
    Members& current = devices_[side].members;
    std::swap(current, members);
    for (const std::shared_ptr<Program>& program : current.programs) {
      if (program->origin == kNoPosition) program->origin = frame_now();
    }
  });
}

void Card::attach(size_t side, std::shared_ptr<CaptureClient> client) {
  std::lock_guard<std::mutex> lock(posting_);
  posted_members_[side].captures.push_back(std::move(client));
  publish(side);
}

void Card::attach(size_t side, std::shared_ptr<RenderClient> client) {
  std::lock_guard<std::mutex> lock(posting_);
  posted_members_[side].renders.push_back(std::move(client));
  publish(side);
}

void Card::detach(size_t side, const std::shared_ptr<CaptureClient>& client) {
  std::lock_guard<std::mutex> lock(posting_);
  auto& all = posted_members_[side].captures;
  all.erase(std::remove(all.begin(), all.end(), client), all.end());
  publish(side);
}

void Card::detach(size_t side, const std::shared_ptr<RenderClient>& client) {
  std::lock_guard<std::mutex> lock(posting_);
  auto& all = posted_members_[side].renders;
  all.erase(std::remove(all.begin(), all.end(), client), all.end());
  publish(side);
}

void Card::start(size_t, std::shared_ptr<CaptureClient> client) {
  client->active.store(true, std::memory_order_seq_cst);
  std::lock_guard<std::mutex> lock(posting_);
  post([this, client] {
    client->running = true;
    client->from = period_end();
    if (client->lost != nullptr) tell(*client);
  });
}

void Card::start(size_t side, std::shared_ptr<RenderClient> client) {
  client->active.store(true, std::memory_order_seq_cst);
  std::lock_guard<std::mutex> lock(posting_);
  post([this, side, client] {
    client->running = true;
    client->from = period_end();
    client->missed = 0;
    if (client->lost != nullptr) {
      tell(*client);
    } else if (client->active.load(std::memory_order_seq_cst)) {
      ask(devices_[side], *client);
    }
  });
}

void Card::stop(std::shared_ptr<Client> client) {
  client->active.store(false, std::memory_order_seq_cst);
  // A step that began before the store may be calling the client; a later one sees the store. Steps
  // are short and never wait, so this yields instead of making the audio thread signal.
  const uint64_t turn = turns_.load(std::memory_order_seq_cst);
  while (turn % 2 == 1 && turns_.load(std::memory_order_seq_cst) == turn) {
    std::this_thread::yield();
  }
  std::lock_guard<std::mutex> lock(posting_);
  post([client = std::move(client)] { client->running = false; });
}

void Card::lose(size_t side, Error error) {
  std::lock_guard<std::mutex> lock(posting_);
  post([this, side, lost = std::make_shared<const Error>(std::move(error))] {
    const auto end = [&](Client& client) {
      if (client.lost == nullptr) client.lost = lost;
      if (client.running) tell(client);
    };
    for (const auto& client : devices_[side].members.captures) end(*client);
    for (const auto& client : devices_[side].members.renders) end(*client);
  });
}

void Card::play(size_t side, const std::string& program, SignalPtr signal) {
  std::lock_guard<std::mutex> lock(posting_);
  auto& all = posted_members_[side].programs;
  all.erase(std::remove_if(all.begin(), all.end(),
                           [&](const std::shared_ptr<Program>& p) { return p->name == program; }),
            all.end());
  if (signal != nullptr) {
    all.push_back(std::make_shared<Program>(Program{program, std::move(signal), clock_.now()}));
  }
  publish(side);
}

bool Card::sounds(size_t side) const {
  std::lock_guard<std::mutex> lock(posting_);
  const auto& all = posted_members_[side].programs;
  const int64_t now = clock_.now();
  return std::any_of(all.begin(), all.end(), [now](const std::shared_ptr<Program>& program) {
    return peak_of(*program->signal, program->begun, now) > 0;
  });
}

void Card::end_programs(size_t side) {
  std::lock_guard<std::mutex> lock(posting_);
  posted_members_[side].programs.clear();
  publish(side);
}

void Card::set_present(size_t side, bool present) {
  std::lock_guard<std::mutex> lock(posting_);
  post([this, side, present] { devices_[side].present = present; });
}

void Card::set_volume(size_t side, double volume, bool muted) {
  std::lock_guard<std::mutex> lock(posting_);
  post([this, side, volume = static_cast<float>(volume), muted] {
    devices_[side].volume = volume;
    devices_[side].muted = muted;
  });
}

void Card::set_dead(size_t side, bool dead) {
  std::lock_guard<std::mutex> lock(posting_);
  post([this, side, dead] { devices_[side].dead = dead; });
}

void Card::set_drift(double ppm) {
  std::lock_guard<std::mutex> lock(posting_);
  post([this, ppm] { samples_.set_drift(now_, ppm); });
}

void Card::set_format(const Format& format, uint32_t period_frames) {
  std::lock_guard<std::mutex> lock(posting_);
  post([this, format, period_frames, buffers = Buffers(format, period_frames, sides_)]() mutable {
    samples_.set_rate(now_, format.sample_rate);
    format_ = format;
    period_ = period_frames;
    scratch_.swap(buffers.scratch);
    wire_.swap(buffers.wire);
    for (size_t i = 0; i < sides_; ++i) {
      devices_[i].heard.swap(buffers.heard[i]);
      devices_[i].played.swap(buffers.played[i]);
    }
    grid_ = samples_.frame_at(now_);
    begin_period(grid_, false);
  });
}

void Card::glitch(size_t side, int64_t frames) {
  std::lock_guard<std::mutex> lock(posting_);
  post([this, side, frames] {
    Device& device = devices_[side];
    if (device.lost_until > kNever - frames) return;  // stalled: everything is lost already
    if (device.lost_until > period_start_) {
      device.lost_until += frames;  // only one lost span per period is remembered, so it grows
    } else {
      device.lost_from = frame_now();
      device.lost_until = device.lost_from + frames;
    }
  });
}

void Card::stall(size_t side, bool stalled) {
  std::lock_guard<std::mutex> lock(posting_);
  post([this, side, stalled] {
    Device& device = devices_[side];
    if (!stalled) {
      device.lost_until = std::min(device.lost_until, frame_now());
    } else {
      if (device.lost_until <= period_start_) device.lost_from = frame_now();
      device.lost_until = kNever;
    }
  });
}

void Card::late(int64_t by_ns) {
  std::lock_guard<std::mutex> lock(posting_);
  post([this, by_ns] { late_by_ += by_ns; });
}

void Card::delay(size_t side, int64_t by_ns) {
  std::lock_guard<std::mutex> lock(posting_);
  // For the highest rate that the device may have by then.
  const size_t frames =
      static_cast<size_t>(by_ns / kNsPerMs) * kMaxSampleRate / 1000 + 2 * kMaxSampleRate / 50;
  post([this, side, by_ns,
        held = HeldPackets(static_cast<size_t>(by_ns / kNsPerMs) + 16,
                           frames * bytes_per_frame(format_))]() mutable {
    std::swap(devices_[side].held, held);
    devices_[side].held.hold_until(now_ + by_ns);
  });
}

void Card::jitter(int64_t up_to_ns) {
  std::lock_guard<std::mutex> lock(posting_);
  post([this, up_to_ns] { jitter_ = up_to_ns; });
}

void Card::stamps(size_t side, int64_t offset_ns, int64_t jitter_ns) {
  std::lock_guard<std::mutex> lock(posting_);
  post([this, side, offset_ns, jitter_ns] {
    devices_[side].stamp_offset = offset_ns;
    devices_[side].stamp_jitter = jitter_ns;
  });
}

void Card::record(size_t side, std::shared_ptr<Recording> recording) {
  std::lock_guard<std::mutex> lock(posting_);
  post([this, side, recording = std::move(recording)]() mutable {
    std::swap(devices_[side].recording, recording);
  });
}

DeviceStats Card::stats(size_t side) const {
  const Counters& counters = devices_[side].counters;
  DeviceStats stats;
  stats.position = counters.position.load(std::memory_order_relaxed);
  stats.wakes = counters.wakes.load(std::memory_order_relaxed);
  stats.late_wakes = counters.late_wakes.load(std::memory_order_relaxed);
  stats.lost_frames = counters.lost_frames.load(std::memory_order_relaxed);
  stats.underrun_frames = counters.underrun_frames.load(std::memory_order_relaxed);
  return stats;
}

// Called by the audio thread.

int64_t Card::step(int64_t now) noexcept {
  turns_.fetch_add(1, std::memory_order_seq_cst);
  now_ = now;
  if (asleep_) {
    awake();
  } else {
    catch_up();
  }
  // Changes by scripts take effect from this frame on.
  fill(std::min(samples_.frame_at(now_), period_end()));
  commands_.run();
  asleep_ = !needed();
  const int64_t next = asleep_ ? kNever : next_wake();
  turns_.fetch_add(1, std::memory_order_seq_cst);
  return next;
}

bool Card::needed() const noexcept {
  for (const Device& device : devices_) {
    if (device.recording != nullptr) return true;
    for (const auto& client : device.members.captures) {
      if (client->on()) return true;
    }
    for (const auto& client : device.members.renders) {
      if (client->on()) return true;
    }
  }
  return false;
}

void Card::awake() noexcept {
  samples_.move_to(now_);
  const int64_t frame = samples_.frame_at(now_);
  held_until_ = 0;
  begin_period(frame - (frame - grid_) % period_, false);
}

void Card::catch_up() noexcept {
  if (now_ < held_until_) return;
  const int64_t held_until = held_until_;
  held_until_ = 0;
  if (now_ - period_time_ > kCaptureBufferNs) {
    fill(period_end());
    end_period();
    samples_.move_to(now_ - kCaptureBufferNs);
    const int64_t kept = samples_.frame_at(now_ - kCaptureBufferNs);
    skip_to(std::max(kept - (kept - grid_) % period_, period_end()));
  }
  const int64_t reached = samples_.frame_at(now_);
  while (period_end() <= reached) {
    fill(period_end());
    end_period();
    const int64_t next = period_end();
    // While a fault delayed the wake, no render stream was asked for frames: the periods that ended
    // meanwhile get no refill. A delay by the machine is caught up as if the wake had been in time.
    begin_period(next, samples_.time_of(next + period_) > held_until);
  }
  if (held_until == 0) return;
  for (Device& device : devices_) {
    device.counters.late_wakes.fetch_add(1, std::memory_order_relaxed);
  }
}

// The system's buffers hold kCaptureBufferNs: older audio that was not fetched is lost.
void Card::skip_to(int64_t start) noexcept {
  const int64_t from = period_end();
  const int64_t frames = start - from;
  for (size_t i = 0; i < sides_; ++i) {
    Device& device = devices_[i];
    if (frames > 0) {
      device.lost_from = from;
      device.lost_until = std::max(device.lost_until, start);
      device.counters.lost_frames.fetch_add(frames, std::memory_order_relaxed);
    }
    if (device.recording != nullptr) {
      device.recording->mark(0, frames);
      device.recording->append(nullptr, frames);
    }
    for (const auto& client : device.members.renders) {
      if (client->on()) client->missed += static_cast<uint32_t>(frames);
    }
  }
  begin_period(start, false);
}

void Card::begin_period(int64_t start, bool refill) noexcept {
  period_start_ = start;
  period_time_ = samples_.time_of(start);
  samples_.move_to(period_time_);
  filled_ = 0;
  for (size_t i = 0; i < sides_; ++i) {
    Device& device = devices_[i];
    std::fill(device.heard.begin(), device.heard.end(), 0.0f);
    device.sounding = false;
    device.starved = false;
    const bool plays = lost_in_period(device).frames() < static_cast<int64_t>(period_);
    for (const auto& client : device.members.renders) {
      client->starved = false;
      if (plays && client->on() && client->from <= start) take(device, *client, refill);
    }
  }
}

void Card::take(Device& device, RenderClient& client, bool refill) noexcept {
  device.sounding = true;
  if (client.ready > 0) {
    const size_t samples = samples_in_period();
    to_float(&client.ahead[client.first * client.period_bytes], format_.sample_format,
             scratch_.data(), samples);
    client.first = (client.first + 1) % client.most;
    --client.ready;
    for (size_t i = 0; i < samples; ++i) device.heard[i] += scratch_[i];
  } else {
    client.starved = device.starved = true;
    client.missed += period_;
  }
  if (!refill) return;
  if (client.missed > 0) {
    device.counters.underrun_frames.fetch_add(client.missed, std::memory_order_relaxed);
    client.listener->on_underrun(client.missed, true);
    client.missed = 0;
  }
  ask(device, client);
}

// Asks for the period after the current one, and for as many more as the client may hold.
void Card::ask(Device& device, RenderClient& client) noexcept {
  const int64_t period_ns = samples_.time_of(period_end()) - period_time_;
  const auto more = static_cast<size_t>(client.listener->more_fill() / period_ns);
  const size_t wanted = std::min(1 + more, client.most);
  while (client.ready < wanted) {
    const int64_t ahead = static_cast<int64_t>(client.ready) * period_;
    const int64_t play_time = stamp(device, samples_.time_of(period_end() + ahead));
    const size_t at = (client.first + client.ready) % client.most;
    client.listener->on_render(&client.ahead[at * client.period_bytes], period_, play_time);
    ++client.ready;
  }
}

void Card::fill(int64_t until) noexcept {
  const int64_t frames = until - frame_now();
  if (frames <= 0) return;
  for (size_t i = 0; i < sides_; ++i) {
    Device& device = devices_[i];
    if (!device.present) continue;
    for (const auto& program : device.members.programs) {
      const Signal::Block block{&device.heard[static_cast<size_t>(filled_) * format_.channels],
                                static_cast<uint32_t>(frames),
                                format_.channels,
                                format_.sample_rate,
                                frame_now(),
                                program->origin};
      if (program->signal->add(block)) device.sounding = true;
    }
  }
  filled_ += static_cast<uint32_t>(frames);
}

void Card::end_period() noexcept {
  for (size_t i = 0; i < sides_; ++i) {
    Device& device = devices_[i];
    device.counters.position.store(period_end(), std::memory_order_relaxed);
    device.counters.wakes.fetch_add(1, std::memory_order_relaxed);
    device.counters.lost_frames.fetch_add(lost_in_period(device).frames(),
                                          std::memory_order_relaxed);
    if (device.side.flow == Flow::kOutput) {
      end_output(device);
    } else {
      end_input(device);
    }
  }
}

void Card::end_output(Device& device) noexcept {
  const Span lost = lost_in_period(device);
  const size_t channels = format_.channels;
  if (lost.frames() > 0) {
    const auto at = [&](int64_t frame) {
      return device.heard.begin() + static_cast<ptrdiff_t>((frame - period_start_) * channels);
    };
    std::fill(at(lost.from), at(lost.until), 0.0f);
    for (const auto& client : device.members.renders) {
      if (client->on() && client->from <= period_start_ && !client->starved) {
        client->missed += static_cast<uint32_t>(lost.frames());
      }
    }
  }

  // As on Windows: the loopback records the mix before the device's volume and mute.
  const float* loopback = device.heard.data();
  measure(device, loopback);
  if (device.dead) {
    std::fill(scratch_.begin(), scratch_.end(), 0.0f);
    loopback = scratch_.data();
  }
  deliver(device, loopback, device.sounding);

  for (size_t i = 0; i < device.heard.size(); ++i) {
    device.played[i] = device.muted ? 0.0f : device.heard[i] * device.volume;
  }
  if (device.recording == nullptr) return;
  if (device.starved) {
    device.recording->mark(0, period_);
  } else if (lost.frames() > 0) {
    device.recording->mark(lost.from - period_start_, lost.frames());
  }
  device.recording->append(device.played.data(), period_);
}

void Card::end_input(Device& device) noexcept {
  const bool cable = sides_ == 2;
  const float* const carried = devices_[kOutputSide].played.data();
  const float volume = device.muted ? 0.0f : device.volume;
  for (size_t i = 0; i < scratch_.size(); ++i) {
    scratch_[i] = (device.heard[i] + (cable ? carried[i] : 0.0f)) * volume;
  }
  measure(device, scratch_.data());
  if (device.dead) std::fill(scratch_.begin(), scratch_.end(), 0.0f);
  deliver(device, scratch_.data(), true);
}

void Card::measure(Device& device, const float* samples) noexcept {
  if (device.members.captures.empty()) return;
  EndpointState state;
  state.known = true;
  state.muted = device.muted;
  state.volume = device.volume;
  state.peak = 0;
  for (size_t i = 0; i < samples_in_period(); ++i) {
    state.peak = std::max(state.peak, std::fabs(samples[i]));
  }
  device.endpoint.store(state);
}

// `present`: there is something to record. An input always has something; a loopback whose output
// plays nothing gets no packets at all, or packets flagged silent.
void Card::deliver(Device& device, const float* samples, bool present) noexcept {
  if (device.members.captures.empty()) return;
  const Span lost = lost_in_period(device);
  const Span pieces[2] = {{period_start_, lost.from}, {lost.until, period_end()}};
  const double ns_per_frame =
      static_cast<double>(samples_.time_of(period_end()) - period_time_) / period_;
  const size_t frame_bytes = bytes_per_frame(format_);
  if (present) from_float(samples, format_.sample_format, wire_.data(), samples_in_period());
  const bool holds = device.held.holds(now_);
  const auto each_client = [&](const auto& call) {
    for (const auto& client : device.members.captures) {
      if (client->on()) call(*client);
    }
  };
  const auto give = [&](const Packet& packet) {
    each_client([&](CaptureClient& client) {
      if (client.from <= packet.position) client.listener->on_packet(packet);
    });
  };
  if (!holds) {
    for (const Packet& packet : device.held.packets()) give(packet);
    device.held.clear();
  }
  bool delivered = false;
  for (const Span& piece : pieces) {
    if (piece.frames() <= 0 || (!present && !device.side.idle_silence)) continue;
    const int64_t offset = piece.from - period_start_;
    Packet packet;
    packet.data = present ? wire_.data() + static_cast<size_t>(offset) * frame_bytes : nullptr;
    packet.frames = static_cast<uint32_t>(piece.frames());
    packet.position = piece.from;
    packet.time = stamp(device, period_time_ + std::llround(offset * ns_per_frame));
    packet.discontinuity = piece.from == device.lost_until && device.lost_until > device.lost_from;
    if (holds) {
      device.held.add(packet, packet.frames * frame_bytes);
    } else {
      give(packet);
      delivered = true;
    }
  }
  if (delivered) return;
  each_client([&](CaptureClient& client) {
    if (client.from <= period_start_) client.listener->on_idle(false);
  });
}

void Card::tell(Client& client) noexcept {
  client.running = false;
  if (client.told || !client.active.load(std::memory_order_seq_cst)) return;
  client.told = true;
  client.tell_lost(*client.lost);
}

int64_t Card::next_wake() noexcept {
  const int64_t due = samples_.time_of(period_end());
  int64_t delay = late_by_;
  late_by_ = 0;
  if (held_until_ == 0) {
    delay += random(jitter_, 1);
    if (delay > 0) held_until_ = due + delay;
  } else {
    held_until_ += delay;
  }
  return std::max(due, held_until_);
}

// If nothing is lost: an empty span at the period's beginning.
Card::Span Card::lost_in_period(const Device& device) const noexcept {
  const int64_t from = std::max(device.lost_from, period_start_);
  const int64_t until = std::min(device.lost_until, period_end());
  return from < until ? Span{from, until} : Span{period_start_, period_start_};
}

int64_t Card::stamp(const Device& device, int64_t time) const noexcept {
  if (device.stamp_offset == kNoTime) return kNoTime;
  const uint64_t salt = 2 + static_cast<uint64_t>(&device - devices_.data());
  return time + device.stamp_offset + random(2 * device.stamp_jitter, salt) - device.stamp_jitter;
}

// In [0, up_to], derived from the period: the same in every run.
int64_t Card::random(int64_t up_to, uint64_t salt) const noexcept {
  if (up_to <= 0) return 0;
  uint64_t z = static_cast<uint64_t>(period_start_) * 0x9e3779b97f4a7c15u +
               (seed_ * 4 + salt) * 0xd1342543de82ef95u;
  z = (z ^ (z >> 31)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 29)) * 0x94d049bb133111ebu;
  return static_cast<int64_t>((z ^ (z >> 32)) % (static_cast<uint64_t>(up_to) + 1));
}

}  // namespace patchcord
