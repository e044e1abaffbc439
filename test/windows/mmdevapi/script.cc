#include "script.h"

#include <cstdio>
#include <functional>
#include <optional>
#include <vector>

#include "counted_object.h"
#include "endpoint_id.h"
#include "words.h"

// After windows.h, which it needs.
#include <tlhelp32.h>

namespace patchcord {
namespace {

// GetProcessHandleCount is always 0 in Wine.
size_t count_handles() {
  size_t count = 0;
  for (uintptr_t value = 4, unused = 0; unused < 1000; value += 4) {
    DWORD flags = 0;
    const bool used = GetHandleInformation(reinterpret_cast<HANDLE>(value), &flags) != FALSE;
    count += used ? 1 : 0;
    unused = used ? 0 : unused + 1;
  }
  return count;
}

size_t count_threads() {
  const HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
  if (snapshot == INVALID_HANDLE_VALUE) return 0;
  size_t count = 0;
  THREADENTRY32 entry{};
  entry.dwSize = sizeof entry;
  for (BOOL more = Thread32First(snapshot, &entry); more; more = Thread32Next(snapshot, &entry)) {
    if (entry.th32OwnerProcessID == GetCurrentProcessId()) ++count;
  }
  CloseHandle(snapshot);
  return count;
}

bool read_file(const std::wstring& path, std::string* text) {
  std::FILE* const file = _wfopen(path.c_str(), L"rb");
  if (file == nullptr) return false;
  char block[4096];
  while (const size_t bytes = std::fread(block, 1, sizeof(block), file)) text->append(block, bytes);
  std::fclose(file);
  return true;
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

std::string answer(const Error& error) {
  if (!error) return "ok";
  return one_line("error " + error.message + (error.remedy.empty() ? "" : "; " + error.remedy));
}

const std::vector<const char*> kFlows = {"input", "output"};
const std::vector<const char*> kStates = {"active", "disabled", "notpresent", "unplugged"};
const std::vector<const char*> kRoles = {"console", "communications"};
const std::vector<const char*> kSampleFormats = {"s16",     "s24", "s32", "f32",
                                                 "s24in32", "u8",  "f64"};

Format read_format(Words& words) {
  Format format;
  format.sample_rate = words.whole("sample rate");
  format.channels = words.whole("channels");
  format.sample_format = static_cast<SampleFormat>(words.choice("sample format", kSampleFormats));
  return format;
}

// "-" stands for what the system does not tell.
DeviceOrigin read_origin(Words& words) {
  const auto told = [&words](const char* what) {
    const std::string word = words.text(what);
    return word == "-" ? std::string() : word;
  };
  DeviceOrigin origin;
  origin.parent = told("instance path");
  origin.maker = told("maker");
  const std::string hardware_id = told("hardware id");
  if (!hardware_id.empty()) origin.hardware_ids.push_back(hardware_id);
  return origin;
}

SignalPtr read_signal(Words& words) {
  switch (words.choice("signal", {"tone", "noise", "silence"})) {
    case 0: {
      const double frequency = words.number("frequency");
      const double gain = words.number("gain");
      const int channel =
          words.take("channel") ? static_cast<int>(words.whole("channel")) : kAllChannels;
      return tone(frequency, gain, 0.0, channel);
    }
    case 1: {
      const uint32_t seed = words.whole("seed");
      return noise(seed, words.number("gain"));
    }
    default:
      return silence();
  }
}

bool is_output(const World& world, const std::string& id) {
  std::vector<DeviceInfo> devices;
  world.devices(&devices);
  for (const DeviceInfo& device : devices) {
    if (device.id == id) return device.flow == Flow::kOutput;
  }
  return false;
}

std::string program_name(uint32_t pid) {
  return pid == ProcessTaps::kNobody ? std::string() : std::to_string(pid);
}

std::string play(Engine& engine, const std::string& id, uint32_t pid, const SignalPtr& signal) {
  if (is_output(*engine.world, id)) return answer(engine.sessions.play(id, pid, signal));
  return answer(engine.world->play(id, signal, program_name(pid)));
}

// Writes what an output played as 32-bit floats to a file.
std::string save_recording(Engine& engine, const std::string& id, const std::string& path) {
  Recorded recorded;
  if (Error error = engine.world->recorded(id, &recorded)) return answer(error);
  std::FILE* const file = _wfopen(to_wide(path).c_str(), L"wb");
  if (file == nullptr) return "error cannot write to " + path;
  const size_t written =
      std::fwrite(recorded.data.data(), sizeof(float), recorded.data.size(), file);
  const bool closed = std::fclose(file) == 0;
  if (written != recorded.data.size() || !closed) return "error cannot write to " + path;
  return "ok " + std::to_string(recorded.data.size() / recorded.format.channels) + " " +
         std::to_string(recorded.format.sample_rate) + " " +
         std::to_string(recorded.format.channels) + " " + std::to_string(recorded.gaps.size());
}

// Adds a microphone that delivers what a traced stream got.
std::string add_replay(Engine& engine, const std::string& id, const std::string& path) {
  std::string text;
  if (!read_file(to_wide(path), &text)) return "error cannot read " + path;
  const auto trace = std::make_shared<Trace>();
  const std::string wrong = read_trace(text, trace.get());
  if (!wrong.empty()) return "error " + wrong;
  DeviceDescription device;
  device.id = id;
  device.name = id;
  device.flow = Flow::kInput;
  device.format = {trace->sample_rate, trace->channels, SampleFormat::kF32};
  engine.policies.change(id, [&](Policy& policy) { policy.replay = trace; });
  return answer(engine.world->add_device(device));
}

std::string add_standard_devices(World& world) {
  const WorldDescription standard = WorldDescription::standard();
  for (const DeviceDescription& device : standard.devices) {
    if (Error error = world.add_device(device)) return answer(error);
  }
  for (const CableDescription& cable : standard.cables) {
    if (Error error = world.add_cable(cable)) return answer(error);
  }
  return "ok";
}

std::string stats(Engine& engine, const std::string& id) {
  DeviceStats stats;
  if (Error error = engine.world->stats(id, &stats)) return answer(error);
  return "ok " + std::to_string(stats.position) + " " + std::to_string(stats.wakes) + " " +
         std::to_string(stats.late_wakes) + " " + std::to_string(stats.lost_frames) + " " +
         std::to_string(stats.underrun_frames);
}

std::string endpoint_id(Engine& engine, const std::string& id) {
  std::vector<DeviceInfo> devices;
  if (Error error = engine.world->devices(&devices)) return answer(error);
  for (const DeviceInfo& device : devices) {
    if (device.id == id) return "ok " + to_utf8(to_endpoint_id(device).c_str());
  }
  return "error no device " + id;
}

// Reads a command's words and returns what does it.
using Run = std::function<std::string()>;
using Read = Run (*)(Engine&, Words&);

struct Command {
  const char* name;
  Read read;
};

// A method of the world that takes a device's id and nothing else.
template <Error (World::*method)(const std::string&)>
Run read_id(Engine& engine, Words& words) {
  return [&engine, id = words.text("device")] { return answer((engine.world.get()->*method)(id)); };
}

// One that turns a fault on or off.
template <Error (World::*method)(const std::string&, bool), bool on>
Run read_switch(Engine& engine, Words& words) {
  return [&engine, id = words.text("device")] {
    return answer((engine.world.get()->*method)(id, on));
  };
}

// One that takes a number.
template <Error (World::*method)(const std::string&, double)>
Run read_number(Engine& engine, Words& words) {
  const std::string id = words.text("device");
  return [&engine, id, value = words.number("value")] {
    return answer((engine.world.get()->*method)(id, value));
  };
}

// One that takes a duration.
template <Error (World::*method)(const std::string&, int64_t)>
Run read_duration(Engine& engine, Words& words) {
  const std::string id = words.text("device");
  return [&engine, id, ns = words.milliseconds("milliseconds")] {
    return answer((engine.world.get()->*method)(id, ns));
  };
}

template <bool muted>
Run read_mute(Engine& engine, Words& words) {
  return [&engine, id = words.text("device")] {
    Volumes::Level level = engine.volumes.of(id);
    level.muted = muted;
    return answer(engine.volumes.set(id, level));
  };
}

const Command kCommands[] = {
    {"play",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       const SignalPtr signal = read_signal(words);
       const uint32_t pid = words.take("by") ? words.whole("pid") : ProcessTaps::kNobody;
       return [&engine, id, signal, pid] { return play(engine, id, pid, signal); };
     }},
    {"stop",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       if (words.take("by")) {
         return [&engine, id, pid = words.whole("pid")] { return play(engine, id, pid, nullptr); };
       }
       return [&engine, id] {
         if (is_output(*engine.world, id)) return answer(engine.sessions.stop_all(id));
         return answer(engine.world->stop(id));
       };
     }},
    {"capture",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       const bool running = words.choice("state", {"runs", "halted"}) == 0;
       return [&engine, id, running, pid = words.whole("pid")] {
         engine.sessions.capture(id, pid, running);
         return std::string("ok");
       };
     }},
    {"record",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       return [&engine, id, frames = words.whole("frames")] {
         return answer(engine.world->record(id, frames));
       };
     }},
    {"recorded",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       return [&engine, id, path = words.text("file")] { return save_recording(engine, id, path); };
     }},
    {"standard",
     [](Engine& engine, Words&) -> Run {
       return [&engine] { return add_standard_devices(*engine.world); };
     }},
    {"device",
     [](Engine& engine, Words& words) -> Run {
       DeviceDescription device;
       device.id = words.text("id");
       device.flow = static_cast<Flow>(words.choice("flow", kFlows));
       device.format = read_format(words);
       device.name = words.text("name");
       if (words.take("period")) device.period_frames = words.whole("frames");
       if (words.take("of")) device.origin = read_origin(words);
       std::optional<uint32_t> mask;
       if (words.take("mask")) mask = words.whole("channel mask");
       std::optional<uint32_t> form;
       if (words.take("form")) form = words.whole("form factor");
       return [&engine, device, mask, form] {
         Policy made;
         made.period_frames = device.period_frames;
         made.mask = mask;
         made.form = form;
         engine.policies.change(device.id, [&](Policy& policy) {
           const Claims claims = policy.claims;
           policy = made;
           policy.claims = claims;
         });
         return answer(engine.world->add_device(device));
       };
     }},
    {"cable",
     [](Engine& engine, Words& words) -> Run {
       CableDescription cable;
       cable.render_id = words.text("render id");
       cable.capture_id = words.text("capture id");
       cable.format = read_format(words);
       cable.render_name = words.text("render name");
       cable.capture_name = words.text("capture name");
       if (words.take("period")) cable.period_frames = words.whole("frames");
       if (words.take("of")) cable.render_origin = cable.capture_origin = read_origin(words);
       return [&engine, cable] {
         for (const std::string& id : {cable.render_id, cable.capture_id}) {
           engine.policies.change(
               id, [&](Policy& policy) { policy.period_frames = cable.period_frames; });
         }
         return answer(engine.world->add_cable(cable));
       };
     }},
    {"replay",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       return [&engine, id, path = words.text("file")] { return add_replay(engine, id, path); };
     }},
    {"remove", read_id<&World::remove_device>},
    {"rename",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       return [&engine, id, name = words.text("name")] {
         engine.policies.change(id, [&](Policy& policy) { policy.name = name; });
         return answer(engine.notifier.renamed(id));
       };
     }},
    {"unplug", read_id<&World::unplug>},
    {"plug", read_id<&World::plug>},
    {"state",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       const auto state = static_cast<DeviceState>(words.choice("state", kStates));
       return [&engine, id, state] { return answer(engine.world->set_state(id, state)); };
     }},
    {"default",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       const auto role = static_cast<Role>(words.choice("role", kRoles));
       return [&engine, id, role] { return answer(engine.world->set_default(id, role)); };
     }},
    {"format",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       return [&engine, id, format = read_format(words)] {
         return answer(engine.world->set_format(id, format));
       };
     }},
    {"service",
     [](Engine& engine, Words& words) -> Run {
       const bool runs = words.choice("state", {"stopped", "running"}) == 1;
       return [&engine, runs] {
         if (!runs) ++engine.service_run;
         runs ? engine.world->server_back() : engine.world->server_gone();
         engine.taps.service(runs);
         return std::string("ok");
       };
     }},
    {"drift", read_number<&World::drift>},
    {"volume",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       return [&engine, id, scalar = static_cast<float>(words.number("volume"))] {
         Volumes::Level level = engine.volumes.of(id);
         level.scalar = scalar;
         return answer(engine.volumes.set(id, level));
       };
     }},
    {"mute", read_mute<true>},
    {"unmute", read_mute<false>},
    {"meter",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       std::optional<float> peak;
       if (!words.take("heard")) peak = static_cast<float>(words.number("peak"));
       return [&engine, id, peak] {
         engine.policies.change(id, [&](Policy& policy) { policy.meter = peak; });
         return std::string("ok");
       };
     }},
    {"deny", read_switch<&World::deny, true>},
    {"allow", read_switch<&World::deny, false>},
    {"die", read_switch<&World::die, true>},
    {"revive", read_switch<&World::die, false>},
    {"stall", read_id<&World::stall>},
    {"resume", read_id<&World::resume>},
    {"glitch",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       return [&engine, id, frames = words.whole("frames")] {
         return answer(engine.world->glitch(id, frames));
       };
     }},
    {"late", read_duration<&World::late>},
    {"jitter", read_duration<&World::jitter>},
    {"stamps",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       if (words.take("wrong")) {
         return [&engine, id] { return answer(engine.world->stamps(id, kNoTime)); };
       }
       const int64_t offset = words.milliseconds("offset");
       const int64_t jitter = words.at_end() ? 0 : words.milliseconds("jitter");
       return [&engine, id, offset, jitter] {
         return answer(engine.world->stamps(id, offset, jitter));
       };
     }},
    {"clock",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       return [&engine, id, offset = words.milliseconds("offset")] {
         engine.policies.change(id, [&](Policy& policy) { policy.clock_offset = offset; });
         return std::string("ok");
       };
     }},
    {"process",
     [](Engine& engine, Words& words) -> Run {
       const uint32_t pid = words.whole("pid");
       return [&engine, pid, parent = words.whole("parent")] {
         engine.taps.set_parent(pid, parent);
         return std::string("ok");
       };
     }},
    {"process-ended",
     [](Engine& engine, Words& words) -> Run {
       return [&engine, pid = words.whole("pid")] {
         engine.sessions.end(pid);
         return std::string("ok");
       };
     }},
    {"session",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       const uint32_t pid = words.whole("pid");
       const size_t what =
           words.choice("change", {"name", "volume", "mute", "unmute", "protect", "unprotect"});
       const std::wstring name = what == 0 ? to_wide(words.text("name")) : std::wstring();
       const float volume = what == 1 ? static_cast<float>(words.number("volume")) : 0.0f;
       return [&engine, id, pid, what, name, volume] {
         const std::vector<SessionPtr> sessions = engine.sessions.of(id, pid);
         if (sessions.empty()) return "error no session of " + std::to_string(pid);
         for (const SessionPtr& session : sessions) {
           const Session now = engine.sessions.look(session);
           Error error = Error::none();
           if (what == 0) {
             engine.sessions.set_name(session, name, {});
           } else if (what >= 4) {
             error = engine.sessions.protect(session, what == 4);
           } else {
             error = engine.sessions.set_volume(session, what == 1 ? volume : now.volume,
                                                what == 1 ? now.muted : what == 2, {});
           }
           if (error) return answer(error);
         }
         return std::string("ok");
       };
     }},
    {"process-silence",
     [](Engine& engine, Words& words) -> Run {
       const auto silence =
           static_cast<ProcessTaps::Silence>(words.choice("silence", {"none", "packets"}));
       return [&engine, silence] {
         engine.taps.set_silence(silence);
         return std::string("ok");
       };
     }},
    {"fail",
     [](Engine& engine, Words& words) -> Run {
       Faults::Fault fault;
       fault.endpoint = words.text("device");
       fault.call = words.text("call");
       fault.result = words.result();
       fault.after = words.take("after") ? words.whole("calls") : 0;
       fault.times = words.take("times") ? words.whole("calls") : Faults::kForever;
       return [&engine, fault] {
         engine.faults.add(fault);
         return std::string("ok");
       };
     }},
    {"hang",
     [](Engine& engine, Words& words) -> Run {
       Faults::Fault fault;
       fault.endpoint = words.text("device");
       fault.call = words.text("call");
       fault.result = S_OK;
       fault.after = words.take("after") ? words.whole("calls") : 0;
       fault.times = Faults::kForever;
       fault.hangs = true;
       return [&engine, fault] {
         engine.faults.add(fault);
         return std::string("ok");
       };
     }},
    {"mend",
     [](Engine& engine, Words&) -> Run {
       return [&engine] {
         engine.faults.clear();
         return std::string("ok");
       };
     }},
    {"exclusive",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       const auto exclusive =
           static_cast<Exclusive>(words.choice("policy", {"refused", "allowed", "busy"}));
       const uint32_t periods = words.take("buffer") ? words.whole("periods") : 1;
       return [&engine, id, exclusive, periods] {
         engine.policies.change(id, [&](Policy& policy) {
           policy.exclusive = exclusive;
           policy.buffer_periods = periods;
         });
         return std::string("ok");
       };
     }},
    {"mix",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       const bool refused = words.choice("policy", {"accepted", "refused"}) == 1;
       return [&engine, id, refused] {
         engine.policies.change(id, [&](Policy& policy) { policy.refuses_mix = refused; });
         return std::string("ok");
       };
     }},
    {"raw",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       const bool raw = words.choice("policy", {"refused", "allowed"}) == 1;
       return [&engine, id, raw] {
         engine.policies.change(id, [&](Policy& policy) { policy.raw = raw; });
         return std::string("ok");
       };
     }},
    {"echo",
     [](Engine& engine, Words& words) -> Run {
       const std::string id = words.text("device");
       const size_t what = words.choice("policy", {"left", "cancelled", "reference"});
       return [&engine, id, what] {
         if (what == 2) return "ok " + engine.policies.of(id).echo_reference;
         engine.policies.change(id, [&](Policy& policy) { policy.cancels_echo = what == 1; });
         return std::string("ok");
       };
     }},
    {"stats",
     [](Engine& engine, Words& words) -> Run {
       return [&engine, id = words.text("device")] { return stats(engine, id); };
     }},
    {"id",
     [](Engine& engine, Words& words) -> Run {
       return [&engine, id = words.text("device")] { return endpoint_id(engine, id); };
     }},
    {"hanging",
     [](Engine& engine, Words&) -> Run {
       return [&engine] { return "ok " + std::to_string(engine.faults.hanging()); };
     }},
    {"resources",
     [](Engine&, Words&) -> Run {
       return [] {
         return "ok " + std::to_string(count_handles()) + " " + std::to_string(count_threads());
       };
     }},
    {"objects",
     [](Engine&, Words&) -> Run {
       return [] { return "ok " + std::to_string(live_objects.load()); };
     }},
};

}  // namespace

std::string run_command(Engine& engine, const std::string& line) {
  Words words(line);
  if (words.at_end()) return "ok";
  const std::string name = words.text("command");
  for (const Command& command : kCommands) {
    if (name != command.name) continue;
    const Run run = command.read(engine, words);
    if (!words.problem().empty()) return one_line("error " + name + ": " + words.problem());
    return run();
  }
  return one_line("error no command " + name);
}

std::string run_script(Engine& engine, const std::wstring& path) {
  std::string text;
  if (!read_file(path, &text)) return "cannot read " + to_utf8(path.c_str());
  size_t from = 0;
  for (int number = 1; from < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', from), text.size());
    const std::string result = run_command(engine, text.substr(from, end - from));
    if (result.compare(0, 5, "error") == 0) return "line " + std::to_string(number) + ": " + result;
    from = end + 1;
  }
  return {};
}

}  // namespace patchcord
