// The simulated audio system is deterministic.
#include "simulated_world.h"

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
  void on_idle(bool) noexcept override { hash.mix(name + 100); }
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

uint64_t simulate(int minutes, int64_t* frames) {
  WorldDescription description = WorldDescription::standard();
  description.devices[0].drift_ppm = 150;
  description.devices[0].phase_ns = 3333333;
  description.devices[1].drift_ppm = -40;
  // Small, because it is slow.
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
  for (int minute = 0; minute < minutes; ++minute) {
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
  CHECK(loop.frames > 16000ll * 20 * minutes && cable.frames > 16000ll * (60 * minutes - 1));
  return hash.value;
}

void run_twice(int minutes) {
  int64_t frames = 0;
  int64_t again = 0;
  const auto began = std::chrono::steady_clock::now();
  const uint64_t first = simulate(minutes, &frames);
  const auto ended = std::chrono::steady_clock::now();
  CHECK(first == simulate(minutes, &again));
  CHECK(frames == again);
  const double nominal = 16000 * 60.0 * minutes;
  // 777 frames are lost every six minutes, and 20 ms are still on their way.
  CHECK_NEAR(static_cast<double>(frames), nominal * (1 + 165e-6), nominal * 160e-6 + 320);
  std::printf("  %d minutes of four streams in %.2f s\n", minutes,
              std::chrono::duration<double>(ended - began).count());
}

}  // namespace

// Each of the events once.
TEST("six simulated minutes, twice, with identical bytes") { run_twice(6); }

LONG_TEST("a simulated hour, twice, with identical bytes") { run_twice(60); }
