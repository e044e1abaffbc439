// The simulated audio system.
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "../../src/backend/simulated/simulated_host.h"
#include "../../src/backend/simulated/world.h"
#include "../../src/core/clock.h"
#include "check.h"

using namespace patchcord;

namespace {

void advance(World& world, int64_t by_ns) {
  std::promise<void> done;
  const Error error = world.advance(by_ns, [&] { done.set_value(); });
  CHECK(!error);
  if (!error) done.get_future().wait();
}

constexpr int64_t ms(int64_t n) { return n * kNsPerMs; }

std::shared_ptr<World> make_world(WorldDescription description = WorldDescription::standard()) {
  description.manual_clock = true;
  std::shared_ptr<World> world;
  CHECK(!World::create(description, &world));
  return world;
}

// Keeps what it was given.
struct Heard final : CaptureListener {
  struct Piece {
    int64_t position;
    int64_t time;
    int64_t arrived;
    uint32_t frames;
    bool silent;
    bool discontinuity;
  };
  explicit Heard(Clock& c, const Format& f = {}) : clock(c), format(f) {}

  void on_packet(const Packet& packet) noexcept override {
    pieces.push_back({packet.position, packet.time, clock.now(), packet.frames,
                      packet.data == nullptr, packet.discontinuity});
    const size_t samples = static_cast<size_t>(packet.frames) * format.channels;
    data.resize(data.size() + samples);
    if (packet.data != nullptr) {
      to_float(packet.data, format.sample_format, &data[data.size() - samples], samples);
    }
  }
  void on_idle() noexcept override { idle.push_back(clock.now()); }
  void on_lost(const Error& error) noexcept override {
    lost = error;
    ++lost_calls;
  }

  // The first sample of channel 0 at the device's frame; NaN if it was not heard.
  float at(int64_t frame) const {
    size_t offset = 0;
    for (const Piece& piece : pieces) {
      if (frame >= piece.position && frame < piece.position + piece.frames) {
        return data[(offset + static_cast<size_t>(frame - piece.position)) * format.channels];
      }
      offset += piece.frames;
    }
    return NAN;
  }

  Clock& clock;
  Format format;
  std::vector<Piece> pieces;
  std::vector<float> data;
  std::vector<int64_t> idle;
  Error lost;
  int lost_calls = 0;
};

// Plays 1, 2, 3, ... / 2^20 on all channels, so that each frame is known again wherever it is
// heard.
struct Counting final : RenderListener {
  struct Turn {
    int64_t first;
    int64_t play_time;
    int64_t asked;
  };
  explicit Counting(Clock& c, const Format& f = {}) : clock(c), format(f) {}

  static float value(int64_t frame) { return static_cast<float>(frame + 1) * 0x1p-20f; }

  void on_render(void* data, uint32_t frames, int64_t play_time) noexcept override {
    turns.push_back({next, play_time, clock.now()});
    std::vector<float> block;
    for (uint32_t i = 0; i < frames; ++i, ++next) {
      block.insert(block.end(), format.channels, value(next));
    }
    from_float(block.data(), format.sample_format, data, block.size());
  }
  void on_underrun(uint32_t frames, bool) noexcept override { underrun += frames; }
  void on_lost(const Error& error) noexcept override {
    lost = error;
    ++lost_calls;
  }

  Clock& clock;
  Format format;
  int64_t next = 0;
  std::vector<Turn> turns;
  int64_t underrun = 0;
  Error lost;
  int lost_calls = 0;
};

std::unique_ptr<Stream> capture(World& world, const std::string& id, CaptureListener* listener,
                                CaptureRequest::Kind kind = CaptureRequest::Kind::kMicrophone) {
  CaptureRequest request;
  request.kind = kind;
  request.device_id = id;
  std::unique_ptr<Stream> stream;
  CHECK(!world.open_capture(request, listener, &stream));
  CHECK(!stream->start());
  return stream;
}

std::unique_ptr<Stream> loopback(World& world, const std::string& id, CaptureListener* listener) {
  return capture(world, id, listener, CaptureRequest::Kind::kLoopback);
}

std::unique_ptr<Stream> render(World& world, const std::string& id, RenderListener* listener) {
  RenderRequest request;
  request.device_id = id;
  std::unique_ptr<Stream> stream;
  CHECK(!world.open_render(request, listener, &stream));
  CHECK(!stream->start());
  return stream;
}

ErrorCode open_capture_error(World& world, const std::string& id) {
  CaptureRequest request;
  request.device_id = id;
  std::unique_ptr<Stream> stream;
  Heard nobody(world.clock());
  return world.open_capture(request, &nobody, &stream).code;
}

}  // namespace

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

TEST("tone, noise and sequence are what they say") {
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

TEST("or, asked for, packets flagged silent") {
  WorldDescription description = WorldDescription::standard();
  description.devices[1].idle_silence = true;
  const auto world = make_world(description);
  Heard heard(world->clock());
  const auto stream = loopback(*world, "speakers", &heard);
  advance(*world, ms(110));
  CHECK(heard.pieces.size() == 10 && heard.idle.empty());
  for (const auto& piece : heard.pieces) CHECK(piece.silent && piece.frames == 480);
}

TEST("what is rendered is recorded, looped back and heard through the cable, bit for bit") {
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

// Faults.

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

TEST("a glitch of an output is a gap, and the streams hear of it") {
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

TEST("a stall delivers nothing, says idle, and comes back with what was lost") {
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
  // What the stream gave is played before and after the gap, without a frame missing.
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

TEST("wrong time stamps") {
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

TEST("errors of opening name what is wrong") {
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

TEST("a change of format ends streams and begins a recording anew; the counter goes on") {
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

TEST("the host tells of changes, makes cables and takes them away") {
  const auto world = make_world();
  auto host = open_simulated_host(world);
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
  host->remove_cable(cable);
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

// Determinism.

namespace {

struct Hash {
  void add(const void* data, size_t bytes) {
    const uint8_t* at = static_cast<const uint8_t*>(data);
    for (; bytes >= 8; at += 8, bytes -= 8) {
      uint64_t word;
      std::memcpy(&word, at, 8);
      mix(word);
    }
    for (; bytes > 0; ++at, --bytes) mix(*at);
  }
  void mix(uint64_t word) { value = (value ^ word) * 0x100000001b3u ^ (value >> 29); }
  uint64_t value = 0xcbf29ce484222325u;
};

// All listeners add to one hash, so that the order among streams counts.
struct HashingCapture final : CaptureListener {
  HashingCapture(Hash& h, uint64_t n) : hash(h), name(n) {}
  void on_packet(const Packet& packet) noexcept override {
    hash.mix(name);
    hash.mix(static_cast<uint64_t>(packet.position));
    hash.mix(static_cast<uint64_t>(packet.time));
    hash.add(packet.data, packet.frames * 4);
    frames += packet.frames;
  }
  void on_idle() noexcept override { hash.mix(name + 100); }
  void on_lost(const Error&) noexcept override { hash.mix(name + 200); }
  Hash& hash;
  const uint64_t name;
  int64_t frames = 0;
};

struct HashingRender final : RenderListener {
  explicit HashingRender(Hash& h) : hash(h) {}
  void on_render(void* data, uint32_t frames, int64_t play_time) noexcept override {
    hash.mix(static_cast<uint64_t>(play_time));
    std::memset(data, 0, frames * 4);
    static_cast<float*>(data)[0] = 0.5f;
  }
  void on_underrun(uint32_t frames, bool) noexcept override { hash.mix(frames); }
  void on_lost(const Error&) noexcept override { hash.mix(300); }
  Hash& hash;
};

uint64_t simulated_hour(int64_t* frames) {
  WorldDescription description = WorldDescription::standard();
  description.devices[0].drift_ppm = 150;
  description.devices[0].phase_ns = 3333333;
  description.devices[1].drift_ppm = -40;
  // Small, because the sanitizers make it slow.
  const Format format{16000, 1, SampleFormat::kF32};
  description.devices[0].format = description.devices[1].format = format;
  description.cables[0].format = format;
  const auto world = make_world(description);
  Hash hash;
  HashingCapture mic(hash, 1), loop(hash, 2), cable(hash, 3);
  HashingRender playing(hash);
  CHECK(!world->play("mic", sum({tone(1000, 0.25), noise(5, 0.01)})));
  const auto a = capture(*world, "mic", &mic);
  const auto b = loopback(*world, "speakers", &loop);
  const auto c = capture(*world, "cable-output", &cable);
  const auto d = render(*world, "cable-input", &playing);
  CHECK(!world->jitter("mic", ms(3)));
  for (int minute = 0; minute < 60; ++minute) {
    switch (minute % 6) {
      case 0:
        CHECK(!world->play("speakers", tone(440, 0.5), "player"));
        break;
      case 1:
        CHECK(!world->glitch("mic", 777));
        break;
      case 2:
        CHECK(!world->drift("mic", 150 + minute));
        break;
      case 3:
        CHECK(!world->stop("speakers"));
        break;
      case 4:
        CHECK(!world->late("cable-input", ms(45)));
        break;
      case 5:
        CHECK(!world->stamps("speakers", 0, 20000));
        break;
    }
    advance(*world, ms(60000) + minute);
  }
  *frames = mic.frames;
  CHECK(loop.frames > 16000 * 60 * 20 && cable.frames > 16000 * 3599ll);
  return hash.value;
}

}  // namespace

TEST("a simulated hour, twice, with identical bytes") {
  int64_t frames = 0;
  int64_t again = 0;
  const auto began = std::chrono::steady_clock::now();
  const uint64_t first = simulated_hour(&frames);
  const auto ended = std::chrono::steady_clock::now();
  CHECK(first == simulated_hour(&again));
  CHECK(frames == again);
  CHECK_NEAR(static_cast<double>(frames), 16000 * 3600.0 * (1 + 165e-6), 16000 * 3600 * 160e-6);
  std::printf("  one hour of four streams in %.2f s\n",
              std::chrono::duration<double>(ended - began).count());
}

// The real clock: threads. What is checked holds however the machine schedules them.

namespace {

struct Counted final : CaptureListener {
  explicit Counted(int64_t until) : wanted(until) {}
  void on_packet(const Packet& packet) noexcept override {
    if (closed.load()) called_after = true;
    if (next != kNoPosition && packet.position != next) ++jumps;
    next = packet.position + packet.frames;
    if (++packets == wanted) reached->signal();
  }
  void on_idle() noexcept override {
    if (closed.load()) called_after = true;
  }
  void on_lost(const Error&) noexcept override {
    if (closed.load()) called_after = true;
    lost.store(true);
    reached->signal();
  }
  const int64_t wanted;
  int64_t packets = 0;
  int64_t next = kNoPosition;
  int jumps = 0;
  std::atomic<bool> lost{false};
  std::atomic<bool> closed{false};
  std::atomic<bool> called_after{false};
  std::unique_ptr<Event> reached = Event::create();
};

struct Quiet final : RenderListener {
  void on_render(void* data, uint32_t frames, int64_t) noexcept override {
    std::memset(data, 0, frames * 8);
    if (closed.load()) called_after = true;
  }
  void on_underrun(uint32_t, bool) noexcept override { ++underruns; }
  void on_lost(const Error&) noexcept override {}
  std::atomic<int> underruns{0};
  std::atomic<bool> closed{false};
  std::atomic<bool> called_after{false};
};

}  // namespace

TEST("real clock: streams run in threads, contiguous, and end when stopped") {
  std::shared_ptr<World> world;
  CHECK(!World::create(WorldDescription::standard(), &world));
  CHECK(!world->play("mic", tone(1000)));
  CHECK(!world->play("speakers", tone(440)));
  Counted mic(30), loop(30), cable(30);
  Quiet playing;
  auto a = capture(*world, "mic", &mic);
  auto b = loopback(*world, "speakers", &loop);
  auto c = capture(*world, "cable-output", &cable);
  auto d = render(*world, "cable-input", &playing);
  for (Counted* heard : {&mic, &loop, &cable}) heard->reached->wait(-1);
  a->stop();
  b->stop();
  c->stop();
  d->stop();
  for (Counted* heard : {&mic, &loop, &cable}) {
    heard->closed = true;
    CHECK(heard->packets >= 30 && heard->jumps == 0);
  }
  playing.closed = true;
  // Another stream's packets show that the audio threads went on.
  Counted after(5);
  const auto e = capture(*world, "cable-output", &after);
  after.reached->wait(-1);
  CHECK(!mic.called_after && !loop.called_after && !cable.called_after && !playing.called_after);
  CHECK(playing.underruns == 0);
}

TEST("real clock: scripts, openings and closings from several threads") {
  std::shared_ptr<World> world;
  CHECK(!World::create(WorldDescription::standard(), &world));
  const auto host = open_simulated_host(world);
  struct Noting final : DeviceListener {
    void on_devices_changed() noexcept override { ++changes; }
    void on_backend_lost(const Error&) noexcept override {}
    std::atomic<int> changes{0};
  } noting;
  host->watch(&noting);
  std::atomic<bool> finished{false};
  std::thread scripts([&] {
    for (int i = 0; !finished; ++i) {
      world->play("mic", i % 2 == 0 ? tone(1000) : noise(3), i % 3 == 0 ? "a" : "b");
      world->play("cable-input", sequence(std::vector<float>(100, 0.5f), 1));
      world->drift("mic", i % 200);
      world->glitch("mic", 1 + i % 50);
      world->volume("speakers", (i % 10) / 10.0);
      world->record("cable-input", 48000);
      Recorded recorded;
      world->recorded("cable-input", &recorded);
      if (i % 10 == 0) world->unplug("speakers");
      if (i % 10 == 5) world->plug("speakers");
      if (i % 50 == 7)
        world->set_format("speakers", {i % 100 < 50 ? 44100u : 48000u, 2, SampleFormat::kF32});
      std::this_thread::yield();
    }
  });
  bool called_after = false;
  for (int i = 0; i < 300; ++i) {
    Counted heard(1 << 30);
    Counted cable(1 << 30);
    Quiet playing;
    std::unique_ptr<Stream> out;
    std::unique_ptr<Stream> loop;
    RenderRequest request;
    request.device_id = "speakers";
    auto in = capture(*world, "mic", &heard);
    auto through = capture(*world, "cable-output", &cable);
    if (!host->open_render(request, &playing, &out)) CHECK(!out->start());
    Cable made;
    CHECK(!host->make_cable("Made", Format{}, &made));
    if (i % 2 == 0) host->remove_cable(made);
    in->stop();
    heard.closed = true;
    if (i % 3 == 0) CHECK(!in->start());
    heard.closed = false;
    in.reset();
    through.reset();
    out.reset();
    heard.closed = cable.closed = playing.closed = true;
    if (i % 2 == 1) host->remove_cable(made);
    called_after = called_after || heard.called_after || cable.called_after || playing.called_after;
  }
  finished = true;
  scripts.join();
  host->watch(nullptr);
  CHECK(!called_after);
  std::vector<DeviceInfo> devices;
  CHECK(!world->devices(&devices));
  CHECK(devices.size() == 4);
}
