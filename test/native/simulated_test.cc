// The simulated audio system: signals, streams, the host.
#include "../../src/backend/checked_host.h"
#include "simulated_world.h"

// Signals.

TEST("signals do not depend on how the frames are cut") {
  const auto sample = [](const Signal& signal, int64_t first, uint32_t frames, uint32_t cut) {
    std::vector<float> out(frames * 2);
    for (uint32_t at = 0; at < frames; at += cut) {
      const uint32_t n = std::min(cut, frames - at);
      signal.add({&out[at * 2], n, 2, 48000, first + at, first});
    }
    return out;
  };
  const SignalPtr all = sum({tone(997.3, 0.5, 0.25), noise(7, 0.25),
                             sequence({0.1f, 0.2f, 0.3f}, 1, true), tone(440, 0.5, 0, 1)});
  for (const int64_t first : {int64_t{0}, int64_t{31}, int64_t{48000} * 86400}) {
    const std::vector<float> whole = sample(*all, first, 1000, 1000);
    CHECK(whole == sample(*all, first, 1000, 1));
    CHECK(whole == sample(*all, first, 1000, 137));
  }
}

TEST("tone, noise and sequence have the described samples") {
  std::vector<float> out(4800 * 2);
  const int64_t late = int64_t{48000} * 86400 + 17;
  tone(1000, 0.5, 1.0)->add({out.data(), 4800, 2, 48000, late, 0});
  for (int i = 0; i < 4800; ++i) {
    const double expected = 0.5 * std::sin(6.283185307179586 * ((late + i) % 48) / 48.0 + 1.0);
    CHECK_NEAR(out[i * 2], expected, 1e-7);
    CHECK(out[i * 2] == out[i * 2 + 1]);
  }
  std::vector<float> random(200000);
  noise(1, 0.5)->add({random.data(), 100000, 2, 48000, 0, 0});
  double sum = 0, squares = 0, product = 0;
  for (size_t i = 0; i < random.size(); i += 2) {
    sum += random[i];
    squares += random[i] * random[i];
    product += random[i] * random[i + 1];
  }
  CHECK_NEAR(sum / 100000, 0, 0.003);
  CHECK_NEAR(squares / 100000, 0.25 / 3, 0.001);
  CHECK_NEAR(product / 100000, 0, 0.001);
  std::vector<float> four(8);
  const SignalPtr pair = sequence({1, 2, 3, 4}, 2);
  CHECK(pair->add({four.data(), 4, 2, 48000, 100, 99}));
  CHECK((four == std::vector<float>{3, 4, 0, 0, 0, 0, 0, 0}));
  CHECK(!pair->add({four.data(), 4, 2, 48000, 101, 99}));
  // Nothing before the frame at which it was played, looped or not.
  CHECK(!pair->add({four.data(), 4, 2, 48000, 95, 99}));
  for (const bool loop : {false, true}) {
    std::vector<float> early(4);
    CHECK(sequence({5}, 1, loop)->add({early.data(), 4, 1, 48000, 96, 99}));
    CHECK((early == std::vector<float>{0, 0, 0, 5}));
  }
}

// Capture.

TEST("a microphone hears its signal to the frame, with true positions and times") {
  WorldDescription description = WorldDescription::standard();
  description.devices[0].drift_ppm = 150;
  description.devices[0].phase_ns = 12345678;
  const auto world = make_world(description);
  const int64_t began = world->clock().now() - 12345678;
  CHECK(!world->play("mic", tone(1000, 0.25)));
  Heard heard(world->clock());
  const auto stream = capture(*world, "mic", &heard);
  CHECK(stream->info().period_frames == 480);
  advance(*world, ms(1000));
  CHECK(heard.pieces.size() == 99);  // the period that was under way is not delivered
  CHECK(heard.idle.empty());
  int64_t next = heard.pieces[0].position;
  CHECK(next % 480 == 0);
  for (const auto& piece : heard.pieces) {
    CHECK(piece.position == next && piece.frames == 480 && !piece.discontinuity);
    const double rate = 48000 * (1 + 150e-6);
    CHECK_NEAR(static_cast<double>(piece.time - began), piece.position * 1e9 / rate, 1.0);
    CHECK_NEAR(static_cast<double>(piece.arrived - began), (piece.position + 480) * 1e9 / rate,
               1.0);
    next += 480;
  }
  for (int64_t frame = heard.pieces[0].position; frame < next; frame += 37) {
    CHECK_NEAR(heard.at(frame), 0.25 * std::sin(6.283185307179586 * (frame % 48) / 48.0), 1e-6);
  }
}

TEST("drift may change while running, without a jump") {
  const auto world = make_world();
  Heard heard(world->clock());
  const auto stream = capture(*world, "mic", &heard);
  for (int i = 0; i < 100; ++i) {
    CHECK(!world->drift("mic", i % 2 == 0 ? 300 : -100));
    advance(*world, ms(1003));
  }
  int64_t next = 480;
  int64_t time = 0;
  for (const auto& piece : heard.pieces) {
    CHECK(piece.position == next);
    if (time != 0) CHECK_NEAR(static_cast<double>(piece.time - time), 1e7, 3001);
    next += 480;
    time = piece.time;
  }
  CHECK_NEAR(static_cast<double>(next), 48000 * 100.3 * (1 + 100e-6), 481);
}

TEST("scripts take effect at their instant, within a period") {
  const auto world = make_world();
  Heard heard(world->clock());
  const auto stream = capture(*world, "mic", &heard);
  advance(*world, ms(23));
  CHECK(!world->play("mic", sequence({1, 1, 1, 1}, 1)));
  advance(*world, ms(20));
  for (int64_t frame = 480; frame < 1920; ++frame) {
    CHECK(heard.at(frame) == (frame >= 1104 && frame < 1108 ? 1.0f : 0.0f));
  }
}

TEST("device formats other than f32 are delivered in them") {
  WorldDescription description = WorldDescription::standard();
  description.devices[0].format = {44100, 1, SampleFormat::kS16};
  const auto world = make_world(description);
  CHECK(!world->play("mic", sequence({0.5f, -0.25f}, 1, true)));
  Heard heard(world->clock(), {44100, 1, SampleFormat::kS16});
  const auto stream = capture(*world, "mic", &heard);
  CHECK(stream->info().format == heard.format && stream->info().period_frames == 441);
  advance(*world, ms(100));
  CHECK(heard.data.size() == 9 * 441);
  CHECK(heard.at(442) == 0.5f && heard.at(443) == -0.25f);
}

// Loopback, render, cable.

TEST("an output that plays nothing gives its loopback no packets") {
  const auto world = make_world();
  Heard heard(world->clock());
  const auto stream = loopback(*world, "speakers", &heard);
  const int64_t began = world->clock().now();
  advance(*world, ms(500));
  CHECK(heard.pieces.empty());
  int64_t before = began;
  for (const int64_t at : heard.idle) {
    CHECK(at - before <= ms(20));
    before = at;
  }
  CHECK(world->clock().now() - before <= ms(20));
  CHECK(!world->play("speakers", tone(440, 0.5), "player"));
  CHECK(!world->play("speakers", tone(880, 0.25), "game"));
  advance(*world, ms(100));
  CHECK(heard.pieces.size() == 10);
  CHECK(heard.pieces[0].position == 24000);
  for (int64_t frame = 24000; frame < 28800; frame += 7) {
    const double expected = 0.5 * std::sin(6.283185307179586 * 440 * frame / 48000.0) +
                            0.25 * std::sin(6.283185307179586 * 880 * frame / 48000.0);
    CHECK_NEAR(heard.at(frame), expected, 1e-6);
  }
  CHECK(!world->stop("speakers", "game"));
  advance(*world, ms(100));
  CHECK(heard.pieces.size() == 20);
  CHECK(!world->stop("speakers"));
  advance(*world, ms(100));
  CHECK(heard.pieces.size() == 20);
  // A finite sound ends by itself; a program that holds a stream open and plays zeros is not idle.
  CHECK(!world->play("speakers", sequence(std::vector<float>(960, 0.5f), 1)));
  advance(*world, ms(100));
  CHECK(heard.pieces.size() == 22);
  CHECK(!world->play("speakers", silence()));
  advance(*world, ms(100));
  CHECK(heard.pieces.size() == 32 && heard.data.back() == 0);
}

TEST("or packets that are flagged silent, if requested") {
  WorldDescription description = WorldDescription::standard();
  description.devices[1].idle_silence = true;
  const auto world = make_world(description);
  Heard heard(world->clock());
  const auto stream = loopback(*world, "speakers", &heard);
  advance(*world, ms(110));
  CHECK(heard.pieces.size() == 10 && heard.idle.empty());
  for (const auto& piece : heard.pieces) CHECK(piece.silent && piece.frames == 480);
}

TEST("rendered audio is recorded, looped back and delivered through the cable, bit for bit") {
  const auto world = make_world();
  CHECK(!world->drift("cable-output", -80));
  CHECK(!world->record("cable-input", 48000));
  Heard loop(world->clock());
  Heard mic(world->clock());
  Counting playing(world->clock());
  const auto a = loopback(*world, "cable-input", &loop);
  const auto b = capture(*world, "cable-output", &mic);
  advance(*world, ms(33));
  const auto c = render(*world, "cable-input", &playing);
  CHECK(c->info().buffer_frames == 960);
  advance(*world, ms(500));

  CHECK(playing.underrun == 0 && playing.turns.size() > 50);
  // Asked one period ahead of the playing, and told truly when: that is the loopback packet's time.
  const int64_t first = loop.pieces[0].position;
  for (size_t i = 0; i < loop.pieces.size(); ++i) {
    CHECK(loop.pieces[i].time == playing.turns[i].play_time);
    if (i > 0) {
      CHECK_NEAR(static_cast<double>(playing.turns[i].play_time - playing.turns[i].asked), 1e7,
                 1000);
    }
  }
  const int64_t end = loop.pieces.back().position + 480;
  for (int64_t frame = first; frame < end; ++frame) {
    CHECK(loop.at(frame) == Counting::value(frame - first));
    CHECK(mic.at(frame) == Counting::value(frame - first));
  }
  Recorded recorded;
  CHECK(!world->recorded("cable-input", &recorded));
  CHECK(recorded.gaps.empty() && !recorded.full && recorded.format.channels == 2);
  for (int64_t frame = 0; frame < end; ++frame) {
    CHECK(recorded.data[frame * 2] == (frame < first ? 0.0f : Counting::value(frame - first)));
  }
  // The microphone hears silence before anything plays, without a gap.
  CHECK(mic.pieces[0].position == 480 && mic.at(first - 1) == 0);
}

TEST("the recording is bounded and says so") {
  const auto world = make_world();
  CHECK(!world->play("speakers", tone(100)));
  CHECK(!world->record("speakers", 1000));
  advance(*world, ms(50));
  Recorded recorded;
  CHECK(!world->recorded("speakers", &recorded));
  CHECK(recorded.full && recorded.data.size() == 2000);
  CHECK(world->record("mic", 10).code == ErrorCode::kUnsupported);
}

TEST("several render streams are summed with what programs play") {
  const auto world = make_world();
  CHECK(!world->play("speakers", sequence({0.5f}, 1, true)));
  Heard loop(world->clock());
  Counting one(world->clock());
  Counting two(world->clock());
  const auto l = loopback(*world, "speakers", &loop);
  const auto a = render(*world, "speakers", &one);
  const auto b = render(*world, "speakers", &two);
  advance(*world, ms(100));
  for (int64_t frame = 480; frame < 4800; ++frame) {
    CHECK(loop.at(frame) == 0.5f + Counting::value(frame - 480) + Counting::value(frame - 480));
  }
}

// The host.

struct Watching final : DeviceListener {
  explicit Watching(Clock& c) : clock(c) {}
  void on_devices_changed() noexcept override { changes.push_back(clock.now()); }
  void on_backend_lost(const Error& error) noexcept override {
    lost = error;
    ++losses;
  }
  Clock& clock;
  std::vector<int64_t> changes;
  Error lost;
  int losses = 0;
};

TEST("the host reports changes, and creates and removes cables") {
  const auto world = make_world();
  auto host = check_contract(open_simulated_host(world));
  Watching watching(world->clock());
  host->watch(&watching);
  CHECK(!world->unplug("mic"));
  advance(*world, ms(10));
  CHECK(watching.changes.size() == 1 && watching.changes[0] == kNsPerSecond);
  CHECK(!world->unplug("mic"));
  advance(*world, 0);
  CHECK(watching.changes.size() == 1);
  CHECK(!world->set_default("cable-output", Role::kCommunications));
  advance(*world, 0);
  CHECK(watching.changes.size() == 2);

  Cable cable;
  CHECK(!host->make_cable("My Voice", Format{}, &cable));
  CHECK(cable.microphone.name == "My Voice" && cable.microphone.flow == Flow::kInput);
  CHECK(cable.microphone.peer_id == cable.render_id);
  std::vector<DeviceInfo> devices;
  CHECK(!host->list_devices(&devices));
  CHECK(devices.size() == 6);
  for (const DeviceInfo& device : devices) {
    if (device.id == "cable-output") {
      CHECK(device.default_console && device.default_communications);
    }
    if (device.id == "mic") CHECK(device.state == DeviceState::kUnplugged);
    if (device.id == cable.render_id) CHECK(device.peer_id == cable.microphone.id);
  }
  Counting playing(world->clock());
  Heard heard(world->clock());
  auto out = render(*world, cable.render_id, &playing);
  auto in = capture(*world, cable.microphone.id, &heard);
  advance(*world, ms(105));
  CHECK(heard.data.size() > 0 && heard.data.back() > 0);
  host->remove_made(cable.render_id);
  advance(*world, 0);
  CHECK(playing.lost_calls == 1 && heard.lost_calls == 1);
  CHECK(!host->list_devices(&devices));
  CHECK(devices.size() == 4);
  in.reset();
  out.reset();

  CHECK(!host->make_cable("Another", Format{}, &cable));
  Heard mic(world->clock());
  const auto stream = capture(*world, "cable-output", &mic);
  advance(*world, ms(50));
  world->server_gone();
  advance(*world, ms(50));
  CHECK(watching.losses == 1 && watching.lost.code == ErrorCode::kBackendUnavailable);
  CHECK(mic.lost_calls == 1 && mic.lost.code == ErrorCode::kBackendUnavailable);
  CHECK(host->list_devices(&devices).code == ErrorCode::kBackendUnavailable);
  CHECK(open_capture_error(*world, "cable-output") == ErrorCode::kBackendUnavailable);
  world->server_back();
  CHECK(open_capture_error(*world, "cable-output") == ErrorCode::kNone);
  host->watch(nullptr);
  const size_t told = watching.changes.size();
  CHECK(!world->plug("mic"));
  advance(*world, 0);
  CHECK(watching.changes.size() == told);
  host.reset();
  CHECK(!world->devices(&devices));
  CHECK(devices.size() == 4);
}

// The engine's control thread is a task of the same clock.
TEST("streams may be opened, stopped and closed from a step of the manual clock") {
  const auto world = make_world();
  Heard heard(world->clock());
  std::unique_ptr<Stream> stream;
  int turn = 0;
  size_t when_stopped = 0;
  auto control = world->clock().start("control", Priority::kNormal, [&](int64_t now) {
    switch (turn++) {
      case 0:
        stream = capture(*world, "mic", &heard);
        break;
      case 1:
        stream->stop();
        when_stopped = heard.pieces.size();
        break;
      case 2:
        stream.reset();
        CHECK(!world->remove_device("mic"));
        return kNever;
    }
    return now + ms(105);
  });
  advance(*world, ms(1000));
  CHECK(turn == 3 && when_stopped == 9 && heard.pieces.size() == 9 && heard.lost_calls == 0);
}
