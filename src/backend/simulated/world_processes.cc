#include "world_processes.h"

#include <algorithm>
#include <utility>

#include "../../core/graph/life_signs.h"
#include "../../core/published.h"
#include "../program_state.h"
#include "world.h"

namespace patchcord {
namespace {

std::string program_of(const ProcessRecord& record) {
  return "process " + std::to_string(record.id.pid) + "." + std::to_string(record.id.start_time);
}

Error no_process(uint32_t pid) {
  return Error::make(ErrorCode::kProcessNotFound,
                     "no simulated process has the id " + std::to_string(pid),
                     "start it with addProcess()");
}

}  // namespace

class WorldProcesses::Table final : public ProcessTable {
 public:
  explicit Table(const std::map<uint32_t, Process>& processes) : processes_(processes) {}

  bool find(uint32_t pid, ProcessRecord* record) const override {
    const auto found = processes_.find(pid);
    if (found == processes_.end()) return false;
    *record = found->second.record;
    return true;
  }
  std::vector<ProcessRecord> all() const override {
    std::vector<ProcessRecord> records;
    for (const auto& [pid, process] : processes_) records.push_back(process.record);
    return records;
  }
  std::string called(uint32_t pid) const override {
    const auto found = processes_.find(pid);
    return found == processes_.end() ? std::string() : found->second.record.name;
  }
  uint32_t own_pid() const override { return 0; }  // this process does not belong to the world

 private:
  const std::map<uint32_t, Process>& processes_;
};

// As on Windows: a stream of processes belongs to no endpoint. It has the requested format, and its
// clock is not that of any device. So it is a separate output, which is not listed, and which plays
// the sum of the processes that it includes.
class WorldProcesses::Tap final : public ProcessStream {
 public:
  Tap(WorldProcesses* owner, const ProcessCaptureRequest& request, CaptureListener* listener,
      TapListener* taps, uint64_t seed)
      : owner_(*owner), listener_(*taps), client_(std::make_shared<Card::CaptureClient>(listener)) {
    info_.format = request.preferred;
    info_.format.sample_format = SampleFormat::kF32;
    info_.period_frames = info_.format.sample_rate / 100;
    info_.buffer_frames = info_.format.sample_rate;
    selector_.select(request.selection);
    card_ =
        std::make_shared<Card>(owner->world_.clock(), info_.format, info_.period_frames, 0, 0, seed,
                               std::vector<Card::Side>{{Flow::kOutput, owner->idle_silence_}});
    card_->attach(Card::kOutputSide, client_);
  }
  ~Tap() override {
    watch_.reset();
    {
      std::lock_guard<std::mutex> lock(owner_.mutex_);
      auto& all = owner_.taps_;
      all.erase(std::remove(all.begin(), all.end(), this), all.end());
    }
    card_->stop(client_);
    card_->detach(Card::kOutputSide, client_);
  }

  const StreamInfo& info() const override { return info_; }
  Error start() override {
    card_->start(Card::kOutputSide, client_);
    std::lock_guard<std::mutex> lock(owner_.mutex_);
    running_ = true;
    update();
    watch_ = owner_.world_.clock().start("patchcord-programs", Priority::kNormal,
                                         [this](int64_t now) { return tell_dead(now); });
    return Error::none();
  }
  void stop() override {
    watch_.reset();
    card_->stop(client_);
    std::lock_guard<std::mutex> lock(owner_.mutex_);
    running_ = false;
  }
  void select(const ProcessSelection& selection) override {
    std::lock_guard<std::mutex> lock(owner_.mutex_);
    selector_.select(selection);
    update();
  }

  // Audio thread.
  EndpointState endpoint() const noexcept override;

  // All of these with the owner's mutex held.
  void update();
  void lose(const Error& error) { card_->lose(Card::kOutputSide, error); }
  void delay(const ProcessId& process, int64_t by_ns) {
    for (const Heard& one : heard_) {
      if (one.process == process) return card_->delay(Card::kOutputSide, by_ns);
    }
  }

 private:
  // A program's meter shows its sound even while its stream gets zeros.
  struct Meter {
    SignalPtr signal;
    int64_t began_ns;
    float volume;
    bool muted;
    void add_to(ProgramState* state, int64_t now) const {
      state->add(true, muted, volume, volume * peak_of(*signal, began_ns, now));
    }
  };
  struct Heard {
    ProcessId process;
    std::string output;
    std::string program;
    SignalPtr signal;
    Meter meter;
    bool is_protected;
    bool denied;
    bool operator==(const Heard& other) const {
      return program == other.program && signal == other.signal &&
             is_protected == other.is_protected && denied == other.denied;
    }
  };
  void tell(TapEvent::Kind kind, const ProcessId& process, const std::string& output);
  int64_t tell_dead(int64_t now);

  WorldProcesses& owner_;
  TapListener& listener_;
  std::shared_ptr<Card::CaptureClient> client_;
  std::shared_ptr<Card> card_;
  StreamInfo info_;
  ProcessSelector selector_;
  std::vector<Heard> heard_;
  std::map<std::string, LifeSigns> lives_;  // by Heard::program
  mutable Published<const std::vector<Meter>> meters_;
  bool running_ = false;
  std::unique_ptr<Clock::Task> watch_;
};

EndpointState WorldProcesses::Tap::endpoint() const noexcept {
  const Published<const std::vector<Meter>>::Reading meters(meters_);
  ProgramState state;
  if (!meters) return state.get();
  const int64_t now = owner_.world_.clock().now();
  for (const Meter& one : *meters) one.add_to(&state, now);
  return state.get();
}

void WorldProcesses::Tap::tell(TapEvent::Kind kind, const ProcessId& process,
                               const std::string& output) {
  TapEvent event;
  event.kind = kind;
  event.process = process;
  event.device_id = output;
  event.time = owner_.world_.clock().now();
  if (kind == TapEvent::Kind::kFailed) {
    event.error = Error::make(
        ErrorCode::kPermissionDenied,
        "process " + std::to_string(process.pid) + " cannot be captured, because access is denied",
        "allow it again with deny(false)");
  }
  listener_.on_tap(event);
}

// As the follower of other systems does for each of its taps. Returns the time of the next look.
int64_t WorldProcesses::Tap::tell_dead(int64_t now) {
  constexpr int64_t kLook = 250 * kNsPerMs;
  std::lock_guard<std::mutex> lock(owner_.mutex_);
  for (const Heard& one : heard_) {
    if (one.denied) continue;
    LifeSigns& life = lives_.try_emplace(one.program, true).first->second;
    life.packet(peak_of(*one.signal, one.meter.began_ns, now) > 0);
    ProgramState state;
    one.meter.add_to(&state, now);
    if (!life.look(state.get(), now).life) continue;
    const bool dead = life.dead_by() != LifeSigns::Evidence::kNone;
    tell(dead ? TapEvent::Kind::kDead : TapEvent::Kind::kAlive, one.process, one.output);
  }
  return now + kLook;
}

void WorldProcesses::Tap::update() {
  if (!running_) return;
  const Table table(owner_.processes_);
  std::vector<Heard> now;
  auto meters = std::make_unique<std::vector<Meter>>();
  for (const auto& [pid, process] : owner_.processes_) {
    if (process.sounds.empty() || !selector_.wants(ancestry_of(table, pid))) continue;
    for (const Sound& sound : process.sounds) {
      SignalPtr signal = sound.signal;
      if (process.muted) signal = silence();
      if (process.volume != 1) signal = scaled(signal, static_cast<float>(process.volume));
      if (process.is_protected) signal = silence();
      const Meter meter{sound.signal, sound.began_ns, static_cast<float>(process.volume),
                        process.muted};
      meters->push_back(meter);
      now.push_back({process.record.id, sound.output,
                     program_of(process.record) + " on " + sound.output, std::move(signal), meter,
                     process.is_protected, process.denied});
    }
  }
  meters_.exchange(std::move(meters));
  const auto same = [](const Heard& one) {
    return [&one](const Heard& other) {
      return other.program == one.program && other.denied == one.denied;
    };
  };
  for (const Heard& before : heard_) {
    if (std::any_of(now.begin(), now.end(), same(before))) continue;
    card_->play(Card::kOutputSide, before.program, nullptr);
    lives_.erase(before.program);
    if (!before.denied) tell(TapEvent::Kind::kDetached, before.process, before.output);
  }
  for (const Heard& one : now) {
    const auto before = std::find_if(heard_.begin(), heard_.end(), same(one));
    if (!one.denied && (before == heard_.end() || !(*before == one))) {
      card_->play(Card::kOutputSide, one.program, one.signal);
    }
    if (before != heard_.end()) continue;
    tell(one.denied ? TapEvent::Kind::kFailed : TapEvent::Kind::kAttached, one.process, one.output);
  }
  heard_ = std::move(now);
  for (const ProcessId& gone : selector_.take_gone(table)) {
    tell(TapEvent::Kind::kGone, gone, {});
  }
}

Error WorldProcesses::begin(const ProcessDescription& description) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (description.pid == 0 || processes_.count(description.pid) != 0) {
    return Error::make(ErrorCode::kUnsupported,
                       "the process id " + std::to_string(description.pid) + " is in use",
                       "end the process that has this id");
  }
  Process process;
  process.record.id = {description.pid, ++begun_};
  process.record.parent = description.parent;
  process.record.name = description.name;
  process.record.path = description.path.empty() ? description.name : description.path;
  process.display_name =
      description.display_name.empty() ? description.name : description.display_name;
  process.is_protected = description.is_protected;
  process.denied = description.denied;
  processes_[description.pid] = std::move(process);
  update();
  return Error::none();
}

Error WorldProcesses::find(uint32_t pid, Process** process) {
  const auto found = processes_.find(pid);
  if (found == processes_.end()) return no_process(pid);
  *process = &found->second;
  return Error::none();
}

template <class Change>
Error WorldProcesses::script(uint32_t pid, Change change) {
  std::lock_guard<std::mutex> lock(mutex_);
  Process* process = nullptr;
  if (Error error = find(pid, &process)) return error;
  if (Error error = change(*process)) return error;
  update();
  return Error::none();
}

Error WorldProcesses::end(uint32_t pid) {
  std::lock_guard<std::mutex> lock(mutex_);
  Process* process = nullptr;
  if (Error error = find(pid, &process)) return error;
  for (const Sound& sound : process->sounds) {
    world_.stop(sound.output, program_of(process->record));
  }
  processes_.erase(pid);
  update();
  return Error::none();
}

// The part of it that a device plays; a protected program's sound is included.
Error WorldProcesses::sound(const Process& process, const Sound& sound) {
  SignalPtr signal = process.muted ? silence() : sound.signal;
  if (process.volume != 1) signal = scaled(signal, static_cast<float>(process.volume));
  return world_.play(sound.output, std::move(signal), program_of(process.record));
}

Error WorldProcesses::play(uint32_t pid, const std::string& output, SignalPtr signal) {
  return script(pid, [&](Process& process) {
    auto& sounds = process.sounds;
    if (signal == nullptr) {
      sounds.erase(std::remove_if(sounds.begin(), sounds.end(),
                                  [&](const Sound& one) { return one.output == output; }),
                   sounds.end());
      return world_.stop(output, program_of(process.record));
    }
    const Sound made{output, std::move(signal), world_.clock().now()};
    if (Error error = sound(process, made)) return error;
    for (Sound& one : sounds) {
      if (one.output != output) continue;
      one = made;
      return Error::none();
    }
    sounds.push_back(made);
    return Error::none();
  });
}

Error WorldProcesses::capture(uint32_t pid, const std::string& input, bool captures) {
  return script(pid, [&](Process& process) {
    auto& inputs = process.inputs;
    const auto known = std::find(inputs.begin(), inputs.end(), input);
    if (!captures && known != inputs.end()) inputs.erase(known);
    if (!captures || known != inputs.end()) return Error::none();
    if (Error error = world_.check_input(input)) return error;
    inputs.push_back(input);
    return Error::none();
  });
}

Error WorldProcesses::move(uint32_t pid, const std::string& output) {
  return script(pid, [&](Process& process) {
    if (process.sounds.empty()) return Error::none();
    std::vector<SignalPtr> signals;
    for (const Sound& one : process.sounds) signals.push_back(one.signal);
    const Sound moved{output,
                      signals.size() == 1 ? signals.front() : patchcord::sum(std::move(signals)),
                      process.sounds.front().began_ns};
    if (Error error = sound(process, moved)) return error;
    for (const Sound& one : process.sounds) {
      if (one.output != output) world_.stop(one.output, program_of(process.record));
    }
    process.sounds = {moved};
    return Error::none();
  });
}

Error WorldProcesses::set_volume(uint32_t pid, double volume) {
  return script(pid, [&](Process& process) {
    if (!(volume >= 0 && volume <= 1)) {
      return Error::make(ErrorCode::kUnsupported, "a volume must be 0 to 1");
    }
    process.volume = volume;
    for (const Sound& one : process.sounds) sound(process, one);
    return Error::none();
  });
}

Error WorldProcesses::mute(uint32_t pid, bool muted) {
  return script(pid, [&](Process& process) {
    process.muted = muted;
    for (const Sound& one : process.sounds) sound(process, one);
    return Error::none();
  });
}

Error WorldProcesses::protect(uint32_t pid, bool is_protected) {
  return script(pid, [&](Process& process) {
    process.is_protected = is_protected;
    return Error::none();
  });
}

Error WorldProcesses::deny(uint32_t pid, bool denied) {
  return script(pid, [&](Process& process) {
    process.denied = denied;
    return Error::none();
  });
}

Error WorldProcesses::delay(uint32_t pid, int64_t by_ns) {
  return script(pid, [&](Process& process) {
    if (by_ns < 0 || by_ns > kMaxDelayNs) {
      return Error::make(ErrorCode::kUnsupported, "a delay must be 0 to 10 s");
    }
    for (Tap* tap : taps_) tap->delay(process.record.id, by_ns);
    return Error::none();
  });
}

void WorldProcesses::set_idle_silence(bool packets) {
  std::lock_guard<std::mutex> lock(mutex_);
  idle_silence_ = packets;
}

void WorldProcesses::update() {
  for (Tap* tap : taps_) tap->update();
  world_.processes_changed();
}

Error WorldProcesses::list(const ProcessQuery& query, std::vector<ProcessInfo>* processes) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const Table table(processes_);
  processes->clear();
  for (const auto& [pid, process] : processes_) {
    ProcessInfo info = describe(ancestry_of(table, pid), {});
    info.display_name = process.display_name;
    if (query.flow == Flow::kInput) {
      info.device_ids = process.inputs;
    } else {
      for (const Sound& sound : process.sounds) info.device_ids.push_back(sound.output);
      info.level = level(process);
      info.volume = static_cast<float>(process.volume);
      info.muted = process.muted;
    }
    if (info.device_ids.empty() && !query.running) continue;
    info.state = info.device_ids.empty() ? ProcessState::kSilent : ProcessState::kActive;
    processes->push_back(std::move(info));
  }
  return Error::none();
}

float WorldProcesses::level(const Process& process) const {
  float peak = 0;
  if (process.muted) return peak;
  for (const Sound& sound : process.sounds) {
    peak = std::max(peak, peak_of(*sound.signal, sound.began_ns, world_.clock().now()));
  }
  return peak * static_cast<float>(process.volume);
}

Error WorldProcesses::open(const ProcessCaptureRequest& request, CaptureListener* listener,
                           TapListener* taps, std::unique_ptr<ProcessStream>* stream) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto tap = std::make_unique<Tap>(this, request, listener, taps, ++taps_made_);
  taps_.push_back(tap.get());
  *stream = std::move(tap);
  return Error::none();
}

void WorldProcesses::lose(const Error& error) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (Tap* tap : taps_) tap->lose(error);
}

}  // namespace patchcord
