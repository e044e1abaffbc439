// Streams and devices of the PulseAudio backend on a real server.
#include "pulse_server.h"

using namespace patchcord;
using namespace pulse_server;

TEST("pulse: devices have names, roles, formats and peers; monitors are none") {
  auto host = connect();
  if (!host) return;
  const auto devices = list(*host);
  const DeviceInfo* speakers = find(devices, "speakers");
  const DeviceInfo* microphone = find(devices, "mic");
  const DeviceInfo* feed = find(devices, "micfeed");
  CHECK(speakers && microphone && feed && !find(devices, "speakers.monitor"));
  if (!speakers || !microphone || !feed) return;
  CHECK(speakers->name == "Speakers");
  CHECK(speakers->flow == Flow::kOutput && microphone->flow == Flow::kInput);
  CHECK(speakers->default_console && speakers->default_communications);
  CHECK(microphone->default_console && !feed->default_console);
  CHECK((speakers->format == Format{48000, 2, SampleFormat::kF32}));
  CHECK(speakers->state == DeviceState::kActive && speakers->is_virtual);
  CHECK(speakers->driver == "module-null-sink.c");
  CHECK(microphone->driver == "module-remap-source.c");
  CHECK(microphone->peer_id == "micfeed" && feed->peer_id == "mic" && speakers->peer_id.empty());
}

TEST("pulse: microphone and loopback record what is played, with timestamps and without a gap") {
  auto host = connect();
  if (!host) return;
  Tone tone(1000, 0.25);
  Recorder microphone;
  Recorder loopback;
  auto hears = capture(*host, &microphone, "mic");
  auto taps = capture(*host, &loopback, "micfeed", true);
  auto plays = render(*host, &tone, "micfeed");
  if (!hears || !taps || !plays) return;
  CHECK((hears->info().format == Format{48000, 2, SampleFormat::kF32}));
  CHECK(hears->info().device_id == "mic" && taps->info().device_id == "micfeed");
  CHECK(!hears->start() && !taps->start() && !plays->start());
  CHECK(eventually([&] { return microphone.frames > 48000 * 4 && loopback.frames > 48000 * 4; }));
  hears->stop();
  taps->stop();
  plays->stop();
  const uint64_t frames_at_stop = microphone.frames;
  const uint64_t rendered_at_stop = tone.frames;
  for (const Recorder* recorder : {&microphone, &loopback}) {
    if (recorder->samples.size() < 48000) return;
    const Level level = measure(recorder->samples);
    CHECK_NEAR(level.rms, 0.25 / std::sqrt(2), 0.001);
    CHECK_NEAR(level.frequency, 1000, 0.5);
    uint64_t expected = 0;
    CHECK(recorder->packets.front().time != kNoTime);
    std::vector<const Packet*> stamped;
    for (const Packet& packet : recorder->packets) {
      if (packet.time != kNoTime && packet.position > 96000) stamped.push_back(&packet);
      // PipeWire's graph may stall while it starts; later positions follow each other.
      if (expected > 96000) CHECK(packet.position == static_cast<int64_t>(expected));
      expected = static_cast<uint64_t>(packet.position) + packet.frames;
    }
    // Stamps advance with the positions, but for the clock's drift and the reports' noise.
    CHECK(stamped.size() >= 2);
    if (stamped.size() < 2) continue;
    const Packet &first = *stamped.front(), &last = *stamped.back();
    const double by_position = static_cast<double>(last.position - first.position) * 1e9 / 48000;
    CHECK_NEAR(static_cast<double>(last.time - first.time), by_position, 5e6);
  }
  CHECK(tone.timed > 0);
  // Nothing is called once stop() has returned: seen through a round trip to the server.
  list(*host);
  CHECK(microphone.frames == frames_at_stop && tone.frames == rendered_at_stop);
  CHECK(microphone.losses == 0 && loopback.losses == 0 && tone.losses == 0);
}

TEST(
    "pulse: frames that the device played without the engine are counted, and the next ones are in "
    "time") {
  auto host = connect();
  if (!host) return;
  Tone tone(1000, 0.25);
  Recorder recorder;
  auto taps = capture(*host, &recorder, "micfeed", true);
  auto plays = render(*host, &tone, "micfeed");
  if (!taps || !plays) return;
  CHECK(!taps->start() && !plays->start());
  CHECK(eventually([&] { return tone.timed > 2; }));
  tone.stall = true;  // the queue holds 200 ms, the audio thread sleeps for 1 s
  CHECK(eventually([&] { return tone.passed_frames > 0; }));
  // The tap is a second behind, because it stalled too. The sound comes back when the device takes
  // the next frames, up to its latency later. The last second of 2.5 is after that.
  const uint64_t heard = recorder.frames;
  CHECK(eventually([&] { return recorder.frames > heard + 120000; }));
  taps->stop();
  plays->stop();
  // At least 1 s less the queue, and 10 ms for the start of the sleep.
  CHECK(tone.passed_frames > 48000 * 0.7);
  CHECK(tone.untold == 0);
  // Written and lost add up to what the clock says; a frame written for the past is heard by
  // nobody.
  CHECK_NEAR(measure(recorder.samples).rms, 0.25 / std::sqrt(2), 0.001);
  // The tap lost nothing: its packets waited in the library.
  const Packet& last = recorder.packets.back();
  CHECK(static_cast<uint64_t>(last.position) + last.frames == recorder.frames);
  CHECK(tone.losses == 0 && recorder.losses == 0);
}

TEST("pulse: a suspended device delivers nothing and is reported as idle") {
  auto host = connect();
  if (!host) return;
  Recorder recorder;
  auto stream = capture(*host, &recorder, "headset", true);
  if (!stream) return;
  CHECK(!stream->start());
  CHECK(eventually([&] { return recorder.frames > 4800; }));
  // PipeWire takes a device in use back from its suspension at once.
  if (on_pipewire()) return;
  pactl("suspend-sink headset 1");
  const int before = recorder.idles;
  CHECK(eventually([&] { return recorder.idles > before + 20; }));
  pactl("suspend-sink headset 0");
  const uint64_t frames = recorder.frames;
  CHECK(eventually([&] { return recorder.frames > frames + 4800; }));
  CHECK(recorder.losses == 0);
}

TEST("pulse: an unknown device is not found, nor does a server's alias count as an id") {
  auto host = connect();
  if (!host) return;
  Recorder recorder;
  Tone tone(440, 0.1);
  std::unique_ptr<Stream> stream;
  for (const char* id : {"no such device", "@DEFAULT_SOURCE@", "@DEFAULT_SINK@", "0"}) {
    CaptureRequest microphone;
    microphone.device_id = id;
    Error error = host->open_capture(microphone, &recorder, &stream);
    CHECK(error.code == ErrorCode::kDeviceNotFound && error.device_id == id);
    RenderRequest output;
    output.device_id = id;
    error = host->open_render(output, &tone, &stream);
    CHECK(error.code == ErrorCode::kDeviceNotFound && !stream);
  }
}

TEST("pulse: changes are noticed while they are watched") {
  auto host = connect();
  if (!host) return;
  Watcher watcher;
  host->watch(&watcher);
  const std::string module = pactl("load-module module-null-sink sink_name=plugged");
  CHECK(eventually([&] { return watcher.changes > 0; }));
  CHECK(find(list(*host), "plugged"));
  int before = watcher.changes;
  pactl("set-default-sink headset");
  CHECK(eventually([&] { return find(list(*host), "headset")->default_console; }));
  CHECK(watcher.changes > before);
  pactl("set-default-sink speakers");
  CHECK(eventually([&] { return find(list(*host), "speakers")->default_console; }));
  before = watcher.changes;
  pactl("unload-module " + module);
  CHECK(eventually([&] { return watcher.changes > before; }));
  CHECK(!find(list(*host), "plugged"));
  host->watch(nullptr);
  before = watcher.changes;
  pactl("unload-module " + pactl("load-module module-null-sink sink_name=unseen"));
  list(*host);
  CHECK(watcher.changes == before && watcher.losses == 0);
}

TEST("pulse: a device removed while it is used is lost once, and is not replaced") {
  auto host = connect();
  if (!host) return;
  const std::string sink = pactl("load-module module-null-sink sink_name=going rate=48000");
  const std::string source =
      pactl("load-module module-remap-source source_name=goingmic master=going.monitor");
  CHECK(eventually([&] { return find(list(*host), "goingmic") != nullptr; }));
  Recorder microphone;
  Recorder loopback;
  Tone tone(440, 0.1);
  auto hears = capture(*host, &microphone, "goingmic");
  auto taps = capture(*host, &loopback, "going", true);
  auto plays = render(*host, &tone, "going");
  if (!hears || !taps || !plays) return;
  CHECK(!hears->start() && !taps->start() && !plays->start());
  CHECK(eventually([&] { return microphone.frames > 9600 && loopback.frames > 9600; }));
  pactl("unload-module " + source);
  CHECK(eventually([&] { return microphone.losses == 1; }));
  pactl("unload-module " + sink);
  CHECK(eventually([&] { return loopback.losses == 1 && tone.losses == 1; }));
  CHECK(microphone.code == ErrorCode::kDeviceLost && loopback.code == ErrorCode::kDeviceLost &&
        tone.code == ErrorCode::kDeviceLost);
  const uint64_t frames = microphone.frames;
  hears->stop();
  list(*host);
  CHECK(microphone.frames == frames && microphone.losses == 1);
}

TEST("pulse: 200 opens and closes leave nothing behind") {
  auto host = connect();
  if (!host) return;
  int files = 0;
  long memory = 0;
  for (int i = 0; i < 200; ++i) {
    Recorder* recorder = new Recorder;
    Tone tone(440, 0.1);
    {
      auto hears = capture(*host, recorder, "headset", true);
      auto plays = render(*host, &tone, "headset");
      if (hears) CHECK(!hears->start());
      if (plays) CHECK(!plays->start());
      CHECK(eventually([&] { return tone.frames > 0; }));
    }
    delete recorder;
    if (i == 40) {
      files = open_files();
      memory = resident_kb();
    }
  }
  CHECK(open_files() <= files);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK_NEAR(static_cast<double>(resident_kb()), static_cast<double>(memory), 2048);
#else
  (void)memory;  // quarantined and shadow memory grow by themselves; leaks are found at exit
#endif
  for (int i = 0; i < 10; ++i) connect();
  CHECK(open_files() <= files);
}
