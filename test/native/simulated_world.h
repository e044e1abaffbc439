// The simulated audio system under a manual clock, and listeners that keep what they were given.
#pragma once

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
#include "../../src/core/time/clock.h"
#include "check.h"

using namespace patchcord;

inline void advance(World& world, int64_t by_ns) {
  std::promise<void> done;
  const Error error = world.advance(by_ns, [&] { done.set_value(); });
  CHECK(!error);
  if (!error) done.get_future().wait();
}

constexpr int64_t ms(int64_t n) { return n * kNsPerMs; }

inline std::shared_ptr<World> make_world(
    WorldDescription description = WorldDescription::standard()) {
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
  void on_idle(bool) noexcept override { idle.push_back(clock.now()); }
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

inline std::unique_ptr<Stream> capture(
    World& world, const std::string& id, CaptureListener* listener,
    CaptureRequest::Kind kind = CaptureRequest::Kind::kMicrophone) {
  CaptureRequest request;
  request.kind = kind;
  request.device_id = id;
  std::unique_ptr<Stream> stream;
  CHECK(!world.open_capture(request, listener, &stream));
  CHECK(!stream->start());
  return stream;
}

inline std::unique_ptr<Stream> loopback(World& world, const std::string& id,
                                        CaptureListener* listener) {
  return capture(world, id, listener, CaptureRequest::Kind::kLoopback);
}

inline std::unique_ptr<Stream> render(World& world, const std::string& id,
                                      RenderListener* listener) {
  RenderRequest request;
  request.device_id = id;
  std::unique_ptr<Stream> stream;
  CHECK(!world.open_render(request, listener, &stream));
  CHECK(!stream->start());
  return stream;
}

inline ErrorCode open_capture_error(World& world, const std::string& id) {
  CaptureRequest request;
  request.device_id = id;
  std::unique_ptr<Stream> stream;
  Heard nobody(world.clock());
  return world.open_capture(request, &nobody, &stream).code;
}
