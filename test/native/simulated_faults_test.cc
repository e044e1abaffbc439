// The scripted faults of the simulated audio system.
#include "simulated_world.h"

TEST("a glitch loses frames: positions jump by as many, counted") {
  const auto world = make_world();
  CHECK(!world->play("mic", tone(1000)));
  Heard heard(world->clock());
  const auto stream = capture(*world, "mic", &heard);
  advance(*world, ms(25));  // frame 1200
  CHECK(!world->glitch("mic", 1000));
  advance(*world, ms(100));
  int64_t next = 480;
  int64_t lost = 0;
  for (const auto& piece : heard.pieces) {
    CHECK(piece.discontinuity == (piece.position != next));
    if (piece.position != next) CHECK(next == 1200 && piece.position == 2200);
    CHECK_NEAR(static_cast<double>(piece.time - kNsPerSecond), piece.position * 1e9 / 48000, 2);
    lost += piece.position - next;
    next = piece.position + piece.frames;
  }
  CHECK(lost == 1000);
  CHECK(heard.idle.size() == 1);  // the period that is lost whole
  for (int64_t frame = 2200; frame < next; frame += 11) {
    CHECK_NEAR(heard.at(frame), std::sin(6.283185307179586 * (frame % 48) / 48.0), 1e-6);
  }
  DeviceStats stats;
  CHECK(!world->stats("mic", &stats));
  CHECK(stats.lost_frames == 1000);
  CHECK(!world->glitch("mic", 10));
  advance(*world, ms(3));
  CHECK(!world->glitch("mic", 10));
  advance(*world, ms(50));
  CHECK(!world->stats("mic", &stats));
  CHECK(stats.lost_frames == 1020);
}

TEST("a glitch of an output is a gap, and the streams are notified") {
  const auto world = make_world();
  CHECK(!world->record("speakers", 48000));
  Counting playing(world->clock());
  const auto stream = render(*world, "speakers", &playing);
  advance(*world, ms(25));
  CHECK(!world->glitch("speakers", 1000));
  advance(*world, ms(100));
  CHECK(playing.underrun == 1000);
  Recorded recorded;
  CHECK(!world->recorded("speakers", &recorded));
  CHECK(recorded.gaps.size() == 1 && recorded.gaps[0].frame == 1200 &&
        recorded.gaps[0].frames == 1000);
  CHECK(recorded.data[1199 * 2] == Counting::value(1199 - 480));
  CHECK(recorded.data[1200 * 2] == 0 && recorded.data[2199 * 2] == 0);
  // The period that was lost whole was not taken from the stream: it is played afterwards.
  CHECK(recorded.data[2200 * 2] == Counting::value(2200 - 480 - 480));
}

TEST("a stall delivers nothing, reports idle, and its end reports the loss") {
  const auto world = make_world();
  Heard heard(world->clock());
  Counting playing(world->clock());
  const auto stream = capture(*world, "mic", &heard);
  const auto out = render(*world, "speakers", &playing);
  advance(*world, ms(105));
  CHECK(heard.pieces.size() == 9);
  CHECK(!world->stall("mic"));
  CHECK(!world->stall("speakers"));
  advance(*world, ms(1000));
  CHECK(heard.pieces.size() == 10);  // the half period before it
  CHECK(heard.pieces.back().frames == 240);
  CHECK(heard.idle.size() == 99);
  const size_t asked = playing.turns.size();
  CHECK(asked == 11);
  CHECK(!world->resume("mic"));
  CHECK(!world->resume("speakers"));
  advance(*world, ms(105));
  CHECK(heard.pieces[10].position == 48000 + 105 * 48 && heard.pieces[10].discontinuity);
  CHECK(heard.pieces.size() == 10 + 11);
  CHECK(playing.underrun == 48000);
  CHECK(playing.turns.size() == asked + 11);
}

TEST("a late wake brings several packets at once, and starves render streams") {
  const auto world = make_world();
  CHECK(!world->record("speakers", 48000));
  Heard heard(world->clock());
  Counting playing(world->clock());
  const auto in = capture(*world, "mic", &heard);
  const auto out = render(*world, "speakers", &playing);
  advance(*world, ms(95));
  CHECK(!world->late("mic", ms(35)));
  CHECK(!world->late("speakers", ms(35)));
  advance(*world, ms(105));
  CHECK(heard.pieces.size() == 19);
  int64_t next = 480;
  int at_once = 0;
  for (const auto& piece : heard.pieces) {
    CHECK(piece.position == next && !piece.discontinuity);
    next += 480;
    if (piece.arrived == kNsPerSecond + ms(135)) ++at_once;
  }
  CHECK(at_once == 4);
  // Asked at 135 instead of 100 ms: the period from 100 on was ready, three had begun without data.
  CHECK(playing.underrun == 3 * 480);
  Recorded recorded;
  CHECK(!world->recorded("speakers", &recorded));
  CHECK(recorded.gaps.size() == 1 && recorded.gaps[0].frame == 110 * 48 &&
        recorded.gaps[0].frames == 1440);
  // The stream's frames are played before and after the gap, and none is missing.
  const int64_t played = 110 * 48 - 480;
  CHECK(recorded.data[110 * 48 * 2 - 2] == Counting::value(played - 1));
  CHECK(recorded.data[140 * 48 * 2] == Counting::value(played));
  DeviceStats stats;
  CHECK(!world->stats("speakers", &stats));
  CHECK(stats.late_wakes == 1 && stats.underrun_frames == 1440);
}

TEST("a wake later than the system's buffer loses the oldest frames") {
  const auto world = make_world();
  Heard heard(world->clock());
  const auto in = capture(*world, "mic", &heard);
  advance(*world, ms(95));
  CHECK(!world->late("mic", ms(3000)));
  advance(*world, ms(4000));
  int64_t next = 480;
  int64_t lost = 0;
  int jumps = 0;
  for (const auto& piece : heard.pieces) {
    CHECK(piece.position >= next);
    lost += piece.position - next;
    if (piece.position != next) ++jumps;
    CHECK(piece.discontinuity == (piece.position != next));
    next = piece.position + piece.frames;
  }
  CHECK(jumps == 1 && lost > 48000 && lost < 2 * 48000 + 480);
  DeviceStats stats;
  CHECK(!world->stats("mic", &stats));
  CHECK(stats.lost_frames == static_cast<uint64_t>(lost));
}

TEST("jitter moves wakes, not positions or times") {
  const auto world = make_world();
  CHECK(!world->jitter("mic", ms(8)));
  CHECK(!world->jitter("speakers", ms(8)));
  Heard heard(world->clock());
  Counting playing(world->clock());
  const auto in = capture(*world, "mic", &heard);
  const auto out = render(*world, "speakers", &playing);
  advance(*world, ms(10000));
  int64_t next = 480;
  int64_t least = kNever, most = 0;
  for (const auto& piece : heard.pieces) {
    CHECK(piece.position == next);
    CHECK_NEAR(static_cast<double>(piece.time - kNsPerSecond), piece.position * 1e9 / 48000, 1);
    const int64_t late = piece.arrived - piece.time - ms(10);
    least = std::min(least, late);
    most = std::max(most, late);
    next += 480;
  }
  CHECK(least >= -1 && least < ms(1) && most > ms(7) && most <= ms(8) + 1);
  CHECK(playing.underrun == 0);
}

TEST("wrong timestamps") {
  const auto world = make_world();
  Heard heard(world->clock());
  const auto in = capture(*world, "mic", &heard);
  CHECK(!world->stamps("mic", ms(-700)));
  advance(*world, ms(105));
  CHECK(heard.pieces.back().time == kNsPerSecond + ms(90 - 700));
  CHECK(!world->stamps("mic", kNoTime));
  advance(*world, ms(10));
  CHECK(heard.pieces.back().time == kNoTime);
  CHECK(!world->stamps("mic", 0, 20000));
  advance(*world, ms(1000));
  int64_t least = kNever, most = -kNever;
  for (size_t i = heard.pieces.size() - 100; i < heard.pieces.size(); ++i) {
    const int64_t off =
        heard.pieces[i].time - kNsPerSecond - heard.pieces[i].position / 480 * ms(10);
    least = std::min(least, off);
    most = std::max(most, off);
  }
  CHECK(least >= -20000 && least < -15000 && most <= 20000 && most > 15000);
}

TEST("dead, muted, turned down") {
  const auto world = make_world();
  CHECK(!world->play("mic", sequence({0.5f}, 1, true)));
  CHECK(!world->play("speakers", sequence({0.5f}, 1, true)));
  CHECK(!world->record("speakers", 48000));
  Heard mic(world->clock());
  Heard loop(world->clock());
  const auto a = capture(*world, "mic", &mic);
  const auto b = loopback(*world, "speakers", &loop);
  advance(*world, ms(50));
  CHECK(mic.data.back() == 0.5f);
  CHECK(!world->volume("mic", 0.5));
  CHECK(!world->volume("speakers", 0.5));
  advance(*world, ms(50));
  CHECK(mic.data.back() == 0.25f);
  CHECK(!world->mute("mic"));
  CHECK(!world->mute("speakers"));
  advance(*world, ms(50));
  CHECK(mic.data.back() == 0 && loop.data.back() == 0.5f);
  CHECK(!world->mute("mic", false));
  CHECK(!world->mute("speakers", false));
  advance(*world, ms(50));
  CHECK(mic.data.back() == 0.25f);
  CHECK(!world->die("mic"));
  CHECK(!world->die("speakers"));
  const size_t before = mic.pieces.size();
  advance(*world, ms(50));
  CHECK(mic.data.back() == 0 && loop.data.back() == 0 && mic.pieces.size() == before + 5);
  Recorded recorded;
  CHECK(!world->recorded("speakers", &recorded));
  CHECK(recorded.data[2 * 48 * 40] == 0.5f && recorded.data[2 * 48 * 80] == 0.25f);
  CHECK(recorded.data[2 * 48 * 130] == 0 && recorded.data.back() == 0.25f);
  CHECK(!world->die("mic", false));
  advance(*world, ms(50));
  CHECK(mic.data.back() == 0.25f);
  CHECK(world->volume("mic", 1.5).code == ErrorCode::kUnsupported);
}

TEST("unplugged: lost once, no default any more, opens again when it is back") {
  WorldDescription description = WorldDescription::standard();
  DeviceDescription second;
  second.id = "headset";
  second.name = "Headset";
  description.devices.push_back(second);
  const auto world = make_world(description);
  Heard heard(world->clock());
  Heard never_started(world->clock());
  const auto stream = capture(*world, "mic", &heard);
  std::unique_ptr<Stream> idle;
  CaptureRequest request;
  request.device_id = "mic";
  CHECK(!world->open_capture(request, &never_started, &idle));
  advance(*world, ms(100));
  const auto default_input = [&] {
    std::vector<DeviceInfo> devices;
    CHECK(!world->devices(&devices));
    for (const DeviceInfo& device : devices) {
      if (device.flow == Flow::kInput && device.default_console) return device.id;
    }
    return std::string();
  };
  CHECK(default_input() == "mic");
  CHECK(!world->unplug("mic"));
  CHECK(default_input() == "headset");
  CHECK(!world->unplug("headset"));
  CHECK(default_input() == "cable-output");
  advance(*world, ms(100));
  CHECK(heard.lost_calls == 1 && heard.lost.code == ErrorCode::kDeviceLost);
  CHECK(heard.lost.device_id == "mic" && !heard.lost.remedy.empty());
  CHECK(heard.pieces.size() == 9);
  CHECK(never_started.lost_calls == 0);
  CHECK(!idle->start());
  advance(*world, 0);
  CHECK(never_started.lost_calls == 1);
  CHECK(open_capture_error(*world, "mic") == ErrorCode::kDeviceLost);
  CHECK(!world->plug("mic"));
  CHECK(default_input() == "mic");
  Heard again(world->clock());
  const auto reopened = capture(*world, "mic", &again);
  advance(*world, ms(100));
  CHECK(again.pieces.size() == 9 && again.pieces[0].position == 21 * 480);
  CHECK(heard.pieces.size() == 9 && heard.lost_calls == 1);
  CHECK(!world->remove_device("mic"));
  CHECK(open_capture_error(*world, "mic") == ErrorCode::kDeviceNotFound);
  advance(*world, ms(100));
  CHECK(again.lost_calls == 1);
}

TEST("errors of opening name the cause") {
  const auto world = make_world();
  CHECK(!world->deny("mic"));
  CHECK(open_capture_error(*world, "mic") == ErrorCode::kPermissionDenied);
  CHECK(!world->deny("mic", false));
  CHECK(open_capture_error(*world, "mic") == ErrorCode::kNone);
  CHECK(open_capture_error(*world, "speakers") == ErrorCode::kUnsupported);
  const Error unknown = world->unplug("nothing");
  CHECK(unknown.code == ErrorCode::kDeviceNotFound);
  CHECK(unknown.remedy.find("cable-output") != std::string::npos);
  WorldDescription bad = WorldDescription::standard();
  bad.devices.push_back(bad.devices[0]);
  std::shared_ptr<World> none;
  CHECK(World::create(bad, &none).code == ErrorCode::kUnsupported && none == nullptr);
  bad = WorldDescription::standard();
  bad.devices[0].format.channels = 33;
  CHECK(World::create(bad, &none).code == ErrorCode::kUnsupported);
  bad = WorldDescription::standard();
  bad.cables[0].period_frames = 961;
  CHECK(World::create(bad, &none).code == ErrorCode::kUnsupported);
  std::shared_ptr<World> real;
  CHECK(!World::create(WorldDescription::standard(), &real));
  CHECK(real->advance(1, [] {}).code == ErrorCode::kUnsupported);
}

TEST("a change of format ends streams and restarts a recording; the counter continues") {
  const auto world = make_world();
  CHECK(!world->play("speakers", tone(440)));
  CHECK(!world->record("speakers", 480000));
  Heard loop(world->clock());
  const auto before = loopback(*world, "speakers", &loop);
  advance(*world, ms(1005));
  const Format mono{16000, 1, SampleFormat::kS16};
  CHECK(!world->set_format("speakers", mono));
  Heard after(world->clock(), mono);
  const auto stream = loopback(*world, "speakers", &after);
  advance(*world, ms(105));
  CHECK(loop.lost_calls == 1 && loop.lost.code == ErrorCode::kDeviceLost);
  CHECK(stream->info().format == mono && stream->info().period_frames == 160);
  CHECK(after.pieces.size() == 9);
  CHECK(after.pieces[0].position == 1005 * 48 + 160);
  CHECK_NEAR(static_cast<double>(after.pieces[0].time - kNsPerSecond), 1.015e9, 1);
  Recorded recorded;
  CHECK(!world->recorded("speakers", &recorded));
  CHECK(recorded.format.sample_rate == 16000 && recorded.data.size() == 1600);
}
