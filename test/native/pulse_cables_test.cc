// Microphones made on a real PulseAudio server.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iterator>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "pulse_server.h"

using namespace patchcord;
using namespace pulse_server;

TEST("pulse: cables carry what is played, bit for bit, and leave the defaults alone") {
  auto host = connect();
  if (!host) return;
  const std::string sink = pactl("get-default-sink");
  const std::string source = pactl("get-default-source");
  Cable first;
  Cable second;
  CHECK(!host->make_cable("Studio", {48000, 2, SampleFormat::kF32}, &first));
  CHECK(!host->make_cable("Studio", {44100, 1, SampleFormat::kF32}, &second));
  CHECK(first.microphone.name == "Studio" && second.microphone.name == "Studio (2)");
  CHECK(pactl("get-default-sink") == sink && pactl("get-default-source") == source);
  auto devices = list(*host);
  const DeviceInfo* microphone = find(devices, second.microphone.id);
  CHECK(microphone && microphone->peer_id == second.render_id);
  // PipeWire's graph has one rate, which a remapped source reports whatever it was made with.
  const uint32_t rate = on_pipewire() ? 48000 : 44100;
  CHECK(microphone && (microphone->format == Format{rate, 1, SampleFormat::kF32}));

  Tone tone(440, 0.5);
  Recorder recorder;
  {
    auto hears = capture(*host, &recorder, first.microphone.id);
    auto plays = render(*host, &tone, first.render_id);
    if (!hears || !plays) return;
    CHECK(!plays->start() && !hears->start());
    CHECK(eventually([&] { return recorder.frames > 48000 * 3; }));
  }
  CHECK_NEAR(measure(recorder.samples).rms, 0.5 / std::sqrt(2), 0.001);
  CHECK_NEAR(measure(recorder.samples).frequency, 440, 0.5);
  // The exact samples, found by their phase at some place in the recording.
  const size_t at = recorder.samples.size() - 4800;
  bool found = false;
  for (uint64_t shift = 0; shift < tone.frame && !found; ++shift) {
    found = true;
    for (size_t i = 0; i < 480 && found; ++i) {
      const double phase = 2 * M_PI * 440 * static_cast<double>(shift + i) / 48000;
      found = recorder.samples[at + i] == static_cast<float>(0.5 * std::sin(phase));
    }
  }
  CHECK(found);

  host->remove_made(first.render_id);
  // PulseAudio answers before it unloads a module.
  CHECK(eventually([&] {
    devices = list(*host);
    return !find(devices, first.microphone.id) && !find(devices, first.render_id);
  }));
  CHECK(find(devices, second.microphone.id));
  host.reset();
  CHECK(count_ours() == 0);
  CHECK(pactl("get-default-sink") == sink && pactl("get-default-source") == source);
}

TEST("pulse: a cable's name may hold any character") {
  auto host = connect();
  if (!host) return;
  const struct {
    const char* asked;
    const char* on_pulseaudio;
    const char* on_pipewire;
  } names[] = {
      {"two words = a=b, $x {y} [z] # %s", "two words = a=b, $x {y} [z] # %s",
       "two words = a=b, $x {y} [z] # %s"},
      {"Ünï ✓ 麦克风", "Ünï ✓ 麦克风", "Ünï ✓ 麦克风"},
      {"Anna's \"big\" \\mic\\", "Anna's \"big\" \\mic\\", "Anna’s ”big” ∖mic∖"},
      {"two\nlines\tand a tab", "two lines and a tab", "two lines and a tab"},
  };
  for (const auto& name : names) {
    Cable cable;
    const Error error = host->make_cable(name.asked, Format{}, &cable);
    if (error) std::printf("  %s\n", error.message.c_str());
    CHECK(!error);
    CHECK(cable.microphone.name == (on_pipewire() ? name.on_pipewire : name.on_pulseaudio));
    CHECK(cable.microphone.name.size() < 100);
    host->remove_made(cable.render_id);
  }
  CHECK(count_ours() == 0);
}

TEST("pulse: cables of a crashed process are removed, those of a live one are not") {
  // Before there is a thread. It waits until the survivor's cable is there.
  int begin[2];
  CHECK(pipe(begin) == 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte;
    if (read(begin[0], &byte, 1) != 1) _exit(1);
    auto host = connect();
    Cable cable;
    if (!host || host->make_cable("Orphan", Format{}, &cable)) _exit(2);
    kill(getpid(), SIGKILL);
  }
  auto survivor = connect();
  Cable kept;
  CHECK(survivor && !survivor->make_cable("Kept", Format{}, &kept));
  CHECK(count_ours() == 2);
  CHECK(write(begin[1], "", 1) == 1);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  CHECK(count_ours() == 4);
  auto next = connect();
  CHECK(count_ours() == 2);
  CHECK(next && find(list(*next), kept.microphone.id));
}

TEST("pulse: cables of one name that are created at the same time get different ids") {
  constexpr size_t kMakers = 4;
  std::unique_ptr<Host> hosts[kMakers];
  Cable cables[kMakers];
  for (auto& host : hosts) host = connect();
  std::vector<std::thread> makers;
  for (size_t i = 0; i < kMakers; ++i) {
    makers.emplace_back(
        [&, i] { CHECK(hosts[i] && !hosts[i]->make_cable("Twin", Format{}, &cables[i])); });
  }
  for (std::thread& maker : makers) maker.join();
  std::set<std::string> names;
  std::set<std::string> ids;
  const auto devices = list(*hosts[0]);
  for (const Cable& cable : cables) {
    names.insert(cable.microphone.name);
    ids.insert(cable.microphone.id);
    const DeviceInfo* microphone = find(devices, cable.microphone.id);
    CHECK(microphone && microphone->peer_id == cable.render_id);
    CHECK(microphone && microphone->name == cable.microphone.name);
  }
  CHECK(names == (std::set<std::string>{"Twin", "Twin (2)", "Twin (3)", "Twin (4)"}));
  CHECK(ids.count("patchcord.Twin.microphone") == 1 && ids.size() == kMakers);
  CHECK(count_ours() == 2 * kMakers);
  for (auto& host : hosts) host.reset();
  CHECK(count_ours() == 0);
}

TEST("pulse: a cable's id follows from its name alone") {
  std::set<std::string> ids;
  const std::string names[] = {"Studio",
                               "Stu dio",
                               "Stu_dio",
                               "麦克风",
                               "话筒",
                               std::string(200, 'x'),
                               std::string(201, 'x')};
  for (const std::string& name : names) {
    std::string before;
    for (int run = 0; run < 2; ++run) {
      auto host = connect();
      Cable cable;
      const Error error = host->make_cable(name, Format{}, &cable);
      if (error) std::printf("  %s\n", error.message.c_str());
      CHECK(!error);
      CHECK(run == 0 || cable.microphone.id == before);
      before = cable.microphone.id;
    }
    ids.insert(before);
  }
  CHECK(ids.size() == std::size(names));
  CHECK(ids.count("patchcord.Studio.microphone") == 1);
}
