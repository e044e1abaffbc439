// Writes to a sink in one format after another.
#include "../../src/core/graph/written_queue.h"

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "check.h"

using namespace patchcord;

namespace {

constexpr uint32_t kRate = 48000;
constexpr size_t kPeriod = 480;

WrittenInput::Config in_format(const Format& format) {
  WrittenInput::Config config;
  config.format = format;
  config.rate = kRate;
  config.channels = 2;
  config.buffer_frames = format.sample_rate / 2;
  return config;
}

const Format kFloat{kRate, 2, SampleFormat::kF32};
const Format kShort{kRate, 2, SampleFormat::kS16};

}  // namespace

TEST("bytes that are written in one format after another are played without a gap") {
  WrittenQueue queue(std::make_shared<NodeEvents>());
  // Lengths that end within a period of the sink.
  size_t total = 0;
  for (int i = 0; i < 40; ++i) {
    const size_t frames = 700 + 37 * static_cast<size_t>(i);
    const bool is_float = i % 2 == 0;
    queue.open(in_format(is_float ? kFloat : kShort));
    const std::vector<float> floats(2 * frames, 0.5f);
    const std::vector<int16_t> shorts(2 * frames, 16384);
    const void* const data = is_float ? static_cast<const void*>(floats.data())
                                      : static_cast<const void*>(shorts.data());
    CHECK(queue.write(data, frames) == frames);
    total += frames;
  }
  queue.end();
  CHECK(queue.totals().queued_frames == total);
  std::vector<float> out(2 * kPeriod);
  size_t sounding = 0, breaks = 0;
  bool before = false;
  while (!queue.idle() || queue.queued() > 0) {
    queue.pull(out.data(), kPeriod, {0, kRate});
    for (size_t i = 0; i < kPeriod; ++i) {
      const bool sounds = out[2 * i] != 0;
      sounding += sounds;
      breaks += before && !sounds;
      before = sounds;
    }
  }
  // The first frame of a piece is faded in from zero, as after any silence.
  CHECK(sounding + 40 >= total);
  CHECK(breaks <= 40);
  CHECK(queue.totals().played_frames == total);
  CHECK(queue.totals().underruns == 0);
}

TEST("a piece that has been played is freed, although something is always queued") {
  // Counted through the events that every piece holds.
  const auto events = std::make_shared<NodeEvents>();
  WrittenQueue queue(events);
  const long before = events.use_count();
  std::vector<float> out(2 * kPeriod);
  const std::vector<float> samples(2 * 4 * kPeriod);
  uint64_t written = 0;
  for (int i = 0; i < 500; ++i) {
    queue.open(in_format(kFloat));
    written += queue.write(samples.data(), (i == 0 ? 4 : 1) * kPeriod);
    queue.pull(out.data(), kPeriod, {0, kRate});
    CHECK(queue.queued() > 0);
    CHECK(events.use_count() - before < 8);
  }
  CHECK(queue.totals().written_frames == written);
  CHECK(queue.totals().played_frames + queue.totals().queued_frames == written);
}

TEST("a writer whose events are not taken still receives that there is room") {
  const auto events = std::make_shared<NodeEvents>();
  WrittenQueue queue(events);
  queue.open(in_format(kFloat));
  std::vector<float> out(2 * kPeriod);
  const std::vector<float> samples(2 * kPeriod, 0.5f);
  // Each turn underruns while the writer still has more.
  for (int i = 0; i < 300; ++i) {
    queue.write(samples.data(), kPeriod / 2);
    queue.set_pending(true);
    queue.pull(out.data(), kPeriod, {0, kRate});
    queue.pull(out.data(), kPeriod, {0, kRate});
  }
  CHECK(queue.totals().underruns > 128);
  events->push({NodeEventType::kPlayed, 0, 0});
  const std::vector<float> much(2 * 20000, 0.5f);
  queue.write(much.data(), 20000);
  for (int i = 0; i < 40; ++i) queue.pull(out.data(), kPeriod, {0, kRate});
  bool low = false, played = false;
  for (const NodeEvent& event : events->take()) {
    low |= event.type == NodeEventType::kLowWater;
    played |= event.type == NodeEventType::kPlayed;
  }
  CHECK(low);
  CHECK(played);
}
