// The simulated audio system on the real clock: threads. The checks do not depend on how the
// machine schedules them.
#include "../../src/backend/checked_host.h"
#include "simulated_world.h"

namespace {

struct Counted final : CaptureListener {
  explicit Counted(int64_t until) : wanted(until) {}
  void on_packet(const Packet& packet) noexcept override {
    if (closed.load()) called_after = true;
    if (next != kNoPosition && packet.position != next) ++jumps;
    next = packet.position + packet.frames;
    if (++packets == wanted) reached->signal();
  }
  void on_idle(bool) noexcept override {
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
  // Another stream's packets show that the audio threads continued.
  Counted after(5);
  const auto e = capture(*world, "cable-output", &after);
  after.reached->wait(-1);
  CHECK(!mic.called_after && !loop.called_after && !cable.called_after && !playing.called_after);
  CHECK(playing.underruns == 0);
}

TEST("real clock: scripts, openings and closings from several threads") {
  std::shared_ptr<World> world;
  CHECK(!World::create(WorldDescription::standard(), &world));
  const auto host = check_contract(open_simulated_host(world));
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
    if (i % 2 == 0) host->remove_made(made.render_id);
    in->stop();
    heard.closed = true;
    if (i % 3 == 0) CHECK(!in->start());
    heard.closed = false;
    in.reset();
    through.reset();
    out.reset();
    heard.closed = cable.closed = playing.closed = true;
    if (i % 2 == 1) host->remove_made(made.render_id);
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
