// Servers that are not there, stand still, have no sound card, or die.
#include <signal.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <thread>
#include <vector>

#include "pulse_server.h"

using namespace patchcord;
using namespace pulse_server;

TEST("pulse: without a server there is an error that says what to start") {
  const std::string server = std::getenv("PULSE_SERVER") ? std::getenv("PULSE_SERVER") : "";
  setenv("PULSE_SERVER", "unix:/nonexistent/socket", 1);
  std::unique_ptr<Host> host;
  const Error error = open_pulse_host(&host);
  setenv("PULSE_SERVER", server.c_str(), 1);
  CHECK(error.code == ErrorCode::kBackendUnavailable && !host);
  CHECK(error.remedy.find("`pulseaudio --") != std::string::npos);
  CHECK(!error.os_code.empty());
}

TEST("pulse: a server that stood still gets one filling, and each gap is reported once") {
  auto host = connect();
  const pid_t server = server_pid();
  CHECK(server > 0);
  if (!host || server <= 0) return;
  Tone tone(1000, 0.25);
  auto plays = render(*host, &tone, "speakers");
  if (!plays) return;
  const StreamInfo& info = plays->info();
  // Keeps its null sink reading by whole periods.
  if (!on_pipewire()) tone.multiple = info.period_frames;
  CHECK(!plays->start());
  CHECK(eventually([&] { return tone.timed > 2; }));
  for (int stall = 1; stall <= 3; ++stall) {
    const uint64_t passed = tone.passed_frames;
    const int64_t from = real_clock().now();
    kill(server, SIGSTOP);
    std::this_thread::sleep_for(std::chrono::milliseconds(400 + stall));
    kill(server, SIGCONT);
    CHECK(eventually([&] { return tone.passed_frames > passed; }));
    const uint64_t frames = tone.frames;
    CHECK(eventually([&] { return tone.frames > frames + 24000; }));
    // A null sink reads up to the latency asked for at once.
    CHECK(tone.burst <= 9600 + 2 * info.period_frames);
    // No more frames have passed than the elapsed time.
    CHECK(tone.passed_frames - passed < (real_clock().now() - from) * 48e-6);
  }
  CHECK(tone.uneven == 0);
  CHECK(tone.unplaced == 0);
  CHECK(tone.losses == 0);
}

TEST("pulse: a server that hangs blocks no call for longer than the contract's 10 s") {
  auto host = connect();
  const pid_t server = server_pid();
  CHECK(server > 0);
  if (!host || server <= 0) return;
  Recorder recorder;
  auto hears = capture(*host, &recorder, "speakers", true);
  if (!hears) return;
  CHECK(!hears->start());
  CHECK(eventually([&] { return recorder.frames > 4800; }));
  kill(server, SIGSTOP);
  const int idles = recorder.idles;
  int64_t begin = real_clock().now();
  std::vector<DeviceInfo> devices;
  CHECK(host->list_devices(&devices).code == ErrorCode::kTimeout);
  CHECK(real_clock().now() - begin < 10 * kNsPerSecond);
  CHECK(recorder.idles > idles);
  begin = real_clock().now();
  hears->stop();
  hears.reset();
  CHECK(real_clock().now() - begin < kNsPerSecond);
  kill(server, SIGCONT);
  CHECK(eventually([&] { return !host->list_devices(&devices); }));
  CHECK(recorder.losses == 0);
}

TEST("pulse: a stream of programs closes at once while the server stands still") {
  auto host = connect();
  const pid_t server = server_pid();
  CHECK(server > 0);
  if (!host || server <= 0) return;
  Tone tones[] = {Tone(440, 0.1), Tone(550, 0.1), Tone(660, 0.1), Tone(770, 0.1)};
  std::vector<std::unique_ptr<Stream>> players;
  for (Tone& tone : tones) players.push_back(render(*host, &tone, "speakers"));
  for (auto& player : players) CHECK(player && !player->start());
  for (const bool attached : {false, true}) {
    Recorder recorder;
    Taps taps;
    auto stream = capture_programs(*host, &recorder, &taps);
    if (attached) {
      CHECK(!stream->start());
      CHECK(eventually([&] { return taps.attached >= 4; }));
    }
    kill(server, SIGSTOP);
    if (!attached) CHECK(!stream->start());
    stream->select({true, {}, {}});  // which lists the server's streams
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const int64_t begin = real_clock().now();
    stream.reset();
    CHECK_NEAR(static_cast<double>(real_clock().now() - begin) * 1e-9, 0, 1);
    kill(server, SIGCONT);
    std::vector<DeviceInfo> devices;
    CHECK(eventually([&] { return !host->list_devices(&devices); }));
    CHECK(recorder.losses == 0 && taps.failed == 0);
  }
}

TEST("pulse: a server that does not answer for 7 s does not end a stream of programs") {
  auto host = connect();
  const pid_t server = server_pid();
  CHECK(server > 0);
  if (!host || server <= 0) return;
  Tone tone(440, 0.5);
  Recorder recorder;
  Taps taps;
  auto plays = render(*host, &tone, "speakers");
  auto stream = capture_programs(*host, &recorder, &taps);
  if (!plays || !stream) return;
  CHECK(!plays->start() && !stream->start());
  CHECK(eventually([&] { return taps.attached >= 1; }));
  kill(server, SIGSTOP);
  stream->select({true, {}, {}});
  std::this_thread::sleep_for(std::chrono::seconds(7));
  kill(server, SIGCONT);
  const uint64_t frames = recorder.frames;
  // First comes the silence of the last 4 s, for which the stream waited.
  CHECK(eventually([&] { return recorder.frames > frames + 7 * 48000; }));
  CHECK(recorder.losses == 0);
  stream->stop();
  if (recorder.samples.size() > 48000) {
    CHECK_NEAR(measure(recorder.samples).rms, 0.5 / std::sqrt(2), 0.1);
  }
}

TEST("pulse: without a sound card a cable does not become the output of other programs") {
  pactl("unload-module module-remap-source");
  pactl("unload-module module-null-sink");
  CHECK(eventually([] { return pactl("get-default-sink") == "auto_null"; }));
  auto host = connect();
  if (!host) return;
  Cable cable;
  CHECK(!host->make_cable("Lonely", Format{}, &cable));
  const auto devices = list(*host);
  for (const DeviceInfo& device : devices) {
    if (device.id == cable.render_id || device.id == cable.microphone.id) {
      CHECK(!device.default_console);
    } else {
      CHECK(device.default_console && device.name == "Dummy Output");
    }
  }
  CHECK(devices.size() == 3);
  host.reset();
  CHECK(eventually([] { return pactl("get-default-sink") == "auto_null"; }));
}

TEST("pulse: everything ends in order when the server is killed") {
  auto host = connect();
  const pid_t server = server_pid();
  CHECK(server > 0);
  if (!host || server <= 0) return;
  Watcher watcher;
  host->watch(&watcher);
  Cable cable;
  CHECK(!host->make_cable("Doomed", Format{}, &cable));
  Recorder microphone;
  Recorder loopback;
  Tone tone(440, 0.1);
  auto hears = capture(*host, &microphone, cable.microphone.id);
  auto taps = capture(*host, &loopback, cable.render_id, true);
  auto plays = render(*host, &tone, cable.render_id);
  if (!hears || !taps || !plays) return;
  CHECK(!hears->start() && !taps->start() && !plays->start());
  CHECK(eventually([&] { return microphone.frames > 9600 && loopback.frames > 9600; }));
  kill(server, SIGKILL);
  CHECK(eventually([&] {
    return microphone.losses == 1 && loopback.losses == 1 && tone.losses == 1 &&
           watcher.losses == 1;
  }));
  CHECK(microphone.code == ErrorCode::kBackendUnavailable &&
        tone.code == ErrorCode::kBackendUnavailable &&
        watcher.code == ErrorCode::kBackendUnavailable);
  const int64_t begin = real_clock().now();
  std::vector<DeviceInfo> devices;
  CHECK(host->list_devices(&devices).code == ErrorCode::kBackendUnavailable);
  std::unique_ptr<Stream> stream;
  RenderRequest request;
  request.device_id = "speakers";
  CHECK(host->open_render(request, &tone, &stream).code == ErrorCode::kBackendUnavailable);
  CHECK(host->make_cable("Late", Format{}, &cable).code == ErrorCode::kBackendUnavailable);
  plays->stop();
  hears.reset();
  taps.reset();
  plays.reset();
  host.reset();
  CHECK(real_clock().now() - begin < 2 * kNsPerSecond);
  CHECK(microphone.losses == 1 && tone.losses == 1 && watcher.losses == 1);
}
