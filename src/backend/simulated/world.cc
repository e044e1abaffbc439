#include "world.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "../known_cables.h"
#include "world_errors.h"

namespace patchcord {
namespace {

constexpr uint32_t kMinPeriodFrames = 16;

}  // namespace

WorldDescription WorldDescription::standard() {
  WorldDescription world;
  DeviceDescription mic;
  mic.id = "mic";
  mic.name = "Microphone (Simulated)";
  mic.flow = Flow::kInput;
  mic.default_console = mic.default_communications = true;
  DeviceDescription speakers;
  speakers.id = "speakers";
  speakers.name = "Speakers (Simulated)";
  speakers.flow = Flow::kOutput;
  speakers.default_console = speakers.default_communications = true;
  CableDescription cable;
  cable.render_id = "cable-input";
  cable.render_name = "CABLE Input";
  cable.capture_id = "cable-output";
  cable.capture_name = "CABLE Output";
  world.devices = {mic, speakers};
  world.cables = {cable};
  return world;
}

Error World::create(const WorldDescription& description, std::shared_ptr<World>* world) {
  std::shared_ptr<World> made(new World(description));
  for (const DeviceDescription& device : description.devices) {
    if (Error error = made->add_device(device)) return error;
  }
  for (const CableDescription& cable : description.cables) {
    if (Error error = made->add_cable(cable)) return error;
  }
  *world = std::move(made);
  return Error::none();
}

World::World(const WorldDescription& description)
    : manual_(description.manual_clock ? ManualClock::create(description.start_ns) : nullptr) {}

World::~World() = default;

void World::close() {
  server_gone();
  // The threads of cards end with their last reference, which must not happen while the world is
  // locked.
  std::vector<std::unique_ptr<Entry>> entries;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    entries.swap(entries_);
  }
  if (manual_) manual_->end();
}

Error World::advance(int64_t by_ns, std::function<void()> done, bool asleep) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return closed_error();
  }
  if (!manual_) {
    return Error::make(ErrorCode::kUnsupported, "this simulated system runs on the real clock",
                       "construct it with clock: 'manual'");
  }
  if (asleep) {
    manual_->pass_asleep(by_ns, std::move(done));
  } else {
    manual_->advance(by_ns, std::move(done));
  }
  return Error::none();
}

Error World::play(const std::string& id, SignalPtr signal, const std::string& program) {
  return script(id, [&](Entry& entry) {
    entry.card->play(entry.side, program, std::move(signal));
    return Error::none();
  });
}

Error World::stop(const std::string& id, const std::string& program) {
  return play(id, nullptr, program);
}

Error World::stop(const std::string& id) {
  return script(id, [](Entry& entry) {
    entry.card->end_programs(entry.side);
    return Error::none();
  });
}

Error World::record(const std::string& id, int64_t max_frames) {
  return script(id, [&](Entry& entry) {
    if (entry.info.flow != Flow::kOutput) {
      return device_error(ErrorCode::kUnsupported, entry.info,
                          "is a microphone, so it plays nothing to record",
                          "call record() of an output");
    }
    if (max_frames < 0) return out_of_range("the length of a recording must be 0 frames or more");
    entry.recording_on = max_frames > 0;
    if (entry.recording_on) {
      entry.recording = std::make_shared<Recording>(entry.info.format, max_frames);
    }
    entry.card->record(entry.side, entry.recording_on ? entry.recording : nullptr);
    return Error::none();
  });
}

Error World::recorded(const std::string& id, Recorded* recorded) const {
  std::shared_ptr<Recording> recording;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const Entry* entry = nullptr;
    if (Error error = find(id, &entry)) return error;
    if (entry->recording == nullptr) {
      return device_error(ErrorCode::kUnsupported, entry->info, "was not recorded",
                          "call record() before it plays");
    }
    recording = entry->recording;
  }
  *recorded = recording->read();
  return Error::none();
}

Error World::stats(const std::string& id, DeviceStats* stats) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const Entry* entry = nullptr;
  if (Error error = find(id, &entry)) return error;
  *stats = entry->card->stats(entry->side);
  return Error::none();
}

Error World::add_device(const DeviceDescription& device) {
  std::lock_guard<std::mutex> lock(mutex_);
  return add_locked(device);
}

Error World::add_cable(const CableDescription& cable) {
  std::lock_guard<std::mutex> lock(mutex_);
  return add_locked(cable, false);
}

Error World::check_new(const std::string& id, const Format& format, uint32_t period_frames,
                       double ppm) const {
  if (closed_) return closed_error();
  if (id.empty()) return out_of_range("a device needs an id");
  for (const auto& entry : entries_) {
    if (entry->info.id == id)
      return out_of_range("a device with the id \"" + id + "\" exists already");
  }
  if (format.sample_rate < kMinSampleRate || format.sample_rate > kMaxSampleRate ||
      format.channels < 1 || format.channels > kMaxChannels) {
    return out_of_range("device \"" + id +
                        "\" must have a format of 8000 to 384000 Hz and 1 to 32 channels");
  }
  // With longer periods on_idle() could not come every 20 ms.
  if (period_frames != 0 &&
      (period_frames < kMinPeriodFrames || period_frames > format.sample_rate / 50)) {
    return out_of_range("device \"" + id + "\" must have a period of 16 frames to 20 ms");
  }
  if (!(std::fabs(ppm) <= kMaxDriftPpm)) {
    return out_of_range("device \"" + id + "\" must drift by at most 100000 ppm");
  }
  return Error::none();
}

Error World::add_locked(const DeviceDescription& device) {
  if (Error error = check_new(device.id, device.format, device.period_frames, device.drift_ppm)) {
    return error;
  }
  auto entry = std::make_unique<Entry>();
  entry->info.id = device.id;
  entry->info.name = device.name;
  entry->info.flow = device.flow;
  entry->info.state = device.state;
  entry->info.format = device.format;
  entry->info.is_virtual = device.is_virtual;
  entry->info.driver = "simulated";
  entry->info.origin = device.origin;
  entry->cancels_echo = device.cancels_echo;
  entry->period_frames = device.period_frames != 0 ? device.period_frames : ten_ms(device.format);
  entry->card = std::make_shared<Card>(clock(), device.format, entry->period_frames,
                                       device.drift_ppm, device.phase_ns, cards_made_++,
                                       std::vector<Card::Side>{{device.flow, device.idle_silence}});
  if (device.state != DeviceState::kActive) entry->card->set_present(0, false);
  auto& wished = wished_default_[static_cast<size_t>(device.flow)];
  if (device.default_console) wished[0] = device.id;
  if (device.default_communications) wished[1] = device.id;
  entries_.push_back(std::move(entry));
  changed();
  return Error::none();
}

Error World::add_locked(const CableDescription& cable, bool made) {
  for (const std::string* id : {&cable.render_id, &cable.capture_id}) {
    if (Error error = check_new(*id, cable.format, cable.period_frames, cable.drift_ppm)) {
      return error;
    }
  }
  if (cable.render_id == cable.capture_id)
    return out_of_range("the ends of a cable need different ids");
  const uint32_t period = cable.period_frames != 0 ? cable.period_frames : ten_ms(cable.format);
  const auto card = std::make_shared<Card>(
      clock(), cable.format, period, cable.drift_ppm, cable.phase_ns, cards_made_++,
      std::vector<Card::Side>{{Flow::kOutput, false}, {Flow::kInput, false}});
  for (size_t side = 0; side < 2; ++side) {
    const bool output = side == Card::kOutputSide;
    auto entry = std::make_unique<Entry>();
    entry->info.id = output ? cable.render_id : cable.capture_id;
    entry->info.name = output ? cable.render_name : cable.capture_name;
    entry->info.origin = output ? cable.render_origin : cable.capture_origin;
    if (cable.tells_pair) entry->info.peer_id = output ? cable.capture_id : cable.render_id;
    entry->info.flow = output ? Flow::kOutput : Flow::kInput;
    entry->info.format = cable.format;
    entry->info.is_virtual = cable.tells_pair;
    entry->info.driver = "simulated";
    entry->period_frames = period;
    entry->card = card;
    entry->side = side;
    entry->made = made;
    entries_.push_back(std::move(entry));
  }
  changed();
  return Error::none();
}

Error World::remove_device(const std::string& id) {
  // Cards whose last reference goes end their threads, so this must not happen while the world is
  // locked.
  std::vector<std::unique_ptr<Entry>> removed;
  std::lock_guard<std::mutex> lock(mutex_);
  Entry* entry = nullptr;
  if (Error error = find(id, &entry)) return error;
  const Card* const card = entry->card.get();
  for (auto it = entries_.begin(); it != entries_.end();) {
    if ((*it)->card.get() != card) {
      ++it;
      continue;
    }
    set_state_locked(**it, DeviceState::kNotPresent);
    removed.push_back(std::move(*it));
    it = entries_.erase(it);
  }
  changed();
  return Error::none();
}

Error World::unplug(const std::string& id) { return set_state(id, DeviceState::kUnplugged); }

Error World::plug(const std::string& id) { return set_state(id, DeviceState::kActive); }

Error World::set_state(const std::string& id, DeviceState state) {
  return script(id, [&](Entry& entry) {
    if (entry.info.state == state) return Error::none();
    set_state_locked(entry, state);
    changed();
    return Error::none();
  });
}

void World::set_state_locked(Entry& entry, DeviceState state) {
  entry.info.state = state;
  entry.card->set_present(entry.side, state == DeviceState::kActive);
  if (state == DeviceState::kActive) return;
  const char* const what = state == DeviceState::kUnplugged  ? "was unplugged"
                           : state == DeviceState::kDisabled ? "was disabled"
                                                             : "was removed";
  entry.card->lose(entry.side, device_error(ErrorCode::kDeviceLost, entry.info, what,
                                            "wait until it returns, or choose another device"));
}

Error World::set_default(const std::string& id, Role role) {
  return script(id, [&](Entry& entry) {
    wished_default_[static_cast<size_t>(entry.info.flow)][static_cast<size_t>(role)] = id;
    changed();
    return Error::none();
  });
}

Error World::set_format(const std::string& id, const Format& format) {
  return script(id, [&](Entry& entry) {
    if (format.sample_rate < kMinSampleRate || format.sample_rate > kMaxSampleRate ||
        format.channels < 1 || format.channels > kMaxChannels) {
      return out_of_range("a format must have 8000 to 384000 Hz and 1 to 32 channels");
    }
    const uint64_t same_time = static_cast<uint64_t>(entry.period_frames) * format.sample_rate;
    const uint32_t period = std::max(
        kMinPeriodFrames, static_cast<uint32_t>(same_time / entry.info.format.sample_rate));
    const std::shared_ptr<Card> card = entry.card;
    for (const auto& end : entries_) {
      if (end->card != card) continue;
      card->lose(end->side, device_error(ErrorCode::kDeviceLost, end->info, "changed its format",
                                         "open it again"));
      end->info.format = format;
      end->period_frames = period;
      if (!end->recording_on) continue;
      end->recording = std::make_shared<Recording>(format, end->recording->limit());
      card->record(end->side, end->recording);
    }
    card->set_format(format, period);
    changed();
    return Error::none();
  });
}

void World::server_gone() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (gone_) return;
    gone_ = true;
    for (const auto& entry : entries_) {
      Error error = server_error();
      error.device_id = entry->info.id;
      entry->card->lose(entry->side, std::move(error));
    }
    for (WorldObserver* observer : observers_) observer->on_server_gone();
  }
  processes_.lose(server_error());
}

void World::server_back() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!gone_ || closed_) return;
  gone_ = false;
  changed();
}

Error World::devices(std::vector<DeviceInfo>* devices) const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (gone_) return closed_ ? closed_error() : server_error();
  devices->clear();
  for (const auto& entry : entries_) {
    DeviceInfo info = entry->info;
    info.default_console = default_of(info.flow, Role::kConsole) == entry.get();
    info.default_communications = default_of(info.flow, Role::kCommunications) == entry.get();
    devices->push_back(std::move(info));
  }
  recognise_cables(devices, "simulated");
  return Error::none();
}

Error World::playing(std::vector<std::string>* output_ids) const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (gone_) return closed_ ? closed_error() : server_error();
  output_ids->clear();
  for (const auto& entry : entries_) {
    const DeviceInfo& info = entry->info;
    if (info.flow != Flow::kOutput || info.state != DeviceState::kActive) continue;
    if (entry->card->sounds(entry->side)) output_ids->push_back(info.id);
  }
  return Error::none();
}

// The requested default while it exists, else the one that a system would fall back on: hardware
// before cables.
const World::Entry* World::default_of(Flow flow, Role role) const {
  const std::string& wished = wished_default_[static_cast<size_t>(flow)][static_cast<size_t>(role)];
  const Entry* best = nullptr;
  for (const auto& entry : entries_) {
    if (entry->info.flow != flow || entry->info.state != DeviceState::kActive) continue;
    if (entry->info.id == wished) return entry.get();
    if (entry->made) continue;
    if (best == nullptr || (best->info.is_virtual && !entry->info.is_virtual)) best = entry.get();
  }
  return best;
}

Error World::find(const std::string& id, const Entry** entry) const {
  if (closed_) return closed_error();
  std::string known;
  for (const auto& candidate : entries_) {
    if (candidate->info.id == id) {
      *entry = candidate.get();
      return Error::none();
    }
    known += (known.empty() ? "\"" : ", \"") + candidate->info.id + "\"";
  }
  Error error =
      Error::make(ErrorCode::kDeviceNotFound, "no simulated device has the id \"" + id + "\"",
                  known.empty() ? "there are no devices" : "the ids are " + known);
  error.device_id = id;
  return error;
}

Error World::find(const std::string& id, Entry** entry) {
  const Entry* found = nullptr;
  Error error = static_cast<const World*>(this)->find(id, &found);
  *entry = const_cast<Entry*>(found);
  return error;
}

Error World::make_cable(const std::string& name, const Format& format, Cable* cable) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (gone_) return closed_ ? closed_error() : server_error();
  CableDescription description;
  do {
    const std::string number = std::to_string(++cables_made_);
    description.render_id = "made-cable-" + number + "-input";
    description.capture_id = "made-cable-" + number + "-output";
  } while (std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
    return entry->info.id == description.render_id || entry->info.id == description.capture_id;
  }));
  description.render_name = name + " (Input)";
  description.capture_name = name;
  description.format = format;
  if (Error error = add_locked(description, true)) return error;
  cable->render_id = description.render_id;
  cable->microphone = entries_.back()->info;
  return Error::none();
}

Error World::make_speaker(const std::string& name, const Format& format, std::string* output_id) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (gone_) return closed_ ? closed_error() : server_error();
  DeviceDescription description;
  do {
    description.id = "made-speaker-" + std::to_string(++speakers_made_);
  } while (std::any_of(entries_.begin(), entries_.end(),
                       [&](const auto& entry) { return entry->info.id == description.id; }));
  description.name = name;
  description.flow = Flow::kOutput;
  description.format = format;
  description.is_virtual = true;
  if (Error error = add_locked(description)) return error;
  entries_.back()->made = true;
  *output_id = description.id;
  return Error::none();
}

Error World::ask_hearing(const std::string& render_id, const std::string& microphone_id,
                         Hearing* hearing) const {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const std::string* id : {&render_id, &microphone_id}) {
    const Entry* entry = nullptr;
    if (Error error = find(*id, &entry)) return error;
    hearing->weaken(*id, entry->muted ? 0.0 : entry->volume);
  }
  return Error::none();
}

void World::add_observer(WorldObserver* observer) {
  std::lock_guard<std::mutex> lock(mutex_);
  observers_.push_back(observer);
}

void World::remove_observer(WorldObserver* observer) {
  std::lock_guard<std::mutex> lock(mutex_);
  observers_.erase(std::remove(observers_.begin(), observers_.end(), observer), observers_.end());
}

void World::processes_changed() {
  std::lock_guard<std::mutex> lock(mutex_);
  for (WorldObserver* observer : observers_) observer->on_world_processes_changed();
}

void World::changed() {
  for (WorldObserver* observer : observers_) observer->on_world_changed();
}

}  // namespace patchcord
