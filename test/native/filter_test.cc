// Filters in the engine: exact lengths and times, silence by the hour, and threads that come and
// go.
#include <atomic>
#include <cmath>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "../../src/core/graph/filter_node.h"
#include "../../src/core/graph/frame_queue.h"
#include "../../src/core/signal/convert_filter.h"
#include "../../src/core/signal/gain.h"
#include "../../src/core/signal/limiter.h"
#include "check.h"
#include "random_signal.h"

using namespace patchcord;

namespace {

class CountingWakeup final : public Wakeup {
 public:
  void wake() noexcept override { ++wakes; }
  std::atomic<int> wakes{0};
};

std::unique_ptr<Filter> converter(uint32_t in, uint32_t out) {
  return std::make_unique<ConvertFilter>(Filter::Shape{in, 2}, Filter::Shape{out, 2},
                                         ResamplerQuality::kHigh, nullptr);
}

template <class Effect>
std::unique_ptr<Filter> effect(std::shared_ptr<Effect> made) {
  return std::make_unique<EffectFilter<Effect>>(Filter::Shape{48000, 2}, std::move(made));
}

Record record_at(uint64_t frame, uint64_t frames, double rate, uint32_t flags = 0) {
  return {frame, frames, 5e9 + static_cast<double>(frame) * 1e9 / rate, rate, flags};
}

// All of a queue, silence as zeros.
std::vector<float> read_all(FrameQueue& queue) {
  std::vector<float> all(queue.available() * queue.channels());
  queue.read(all.data(), all.size() / queue.channels());
  return all;
}

}  // namespace

TEST("a filter's stream is as long as what came in, whatever the packets are") {
  CountingWakeup wakeup;
  for (const auto& [in, out] : {std::pair<uint32_t, uint32_t>{48000, 44100},
                                {44100, 48000},
                                {48000, 16000},
                                {8000, 192000},
                                {192000, 8000},
                                {48000, 48000}}) {
    for (const size_t total : {1u, 479u, 20011u}) {
      FilterNode node(converter(in, out), 0, &wakeup);
      auto queue = std::make_shared<FrameQueue>(2, out, 1u << 20);
      node.attach(queue, nullptr);
      RandomSignal random(7);
      for (size_t done = 0; done < total;) {
        const size_t frames = std::min<size_t>(total - done, random.whole(1, 3000));
        const std::vector<float> samples = random.samples(2 * frames, 0.5f);
        node.push(samples.data(), record_at(done, frames, in));
        done += frames;
      }
      node.finish();
      const double wanted = std::round(static_cast<double>(total) * out / in);
      CHECK(queue->available() == static_cast<uint64_t>(wanted));
      CHECK(node.position() == static_cast<uint64_t>(wanted));
      CHECK(queue->ended());
    }
  }
}

TEST("a limiter in the engine gives back what was never too loud, at its own place") {
  CountingWakeup wakeup;
  FilterNode node(effect(std::make_shared<Limiter>(48000, 2)), 0, &wakeup);
  auto queue = std::make_shared<FrameQueue>(2, 48000, 1u << 16);
  node.attach(queue, nullptr);
  const std::vector<float> samples = RandomSignal(3).samples(2 * 9600, 0.5f);
  for (size_t done = 0; done < 9600; done += 480) {
    node.push(samples.data() + 2 * done, record_at(done, 480, 48000));
  }
  node.finish();
  CHECK(read_all(*queue) == samples);
}

TEST("times go through: a frame that comes out was heard when the one that came in was") {
  CountingWakeup wakeup;
  constexpr double kTrue = 48000 * 1.0002;
  FilterNode node(converter(48000, 16000), 0, &wakeup);
  auto queue = std::make_shared<FrameQueue>(2, 16000, 1u << 16);
  node.attach(queue, nullptr);
  const std::vector<float> samples(2 * 480, 0.25f);
  for (uint64_t done = 0; done < 48000; done += 480) {
    node.push(samples.data(), record_at(done, 480, kTrue));
    while (queue->available() > 0) {
      const FrameQueue::Span span = queue->front(1);
      const double heard = 5e9 + static_cast<double>(span.frame) * 3e9 / kTrue;
      CHECK_NEAR(span.time, heard, 10);
      queue->advance(1);
    }
  }
  CHECK_NEAR(node.anchor().rate, kTrue / 3, 1e-6);
}

TEST("an hour of silence is a length, and the sound after it is in its place") {
  CountingWakeup wakeup;
  for (const uint32_t out : {48000u, 44100u}) {
    FilterNode node(converter(48000, out), 0, &wakeup);
    auto queue = std::make_shared<FrameQueue>(2, out, 1u << 16);
    node.attach(queue, nullptr);
    constexpr uint64_t kHour = 48000ull * 3600;
    const std::vector<float> sound(2 * 480, 0.25f);
    node.push(sound.data(), record_at(0, 480, 48000));
    node.push(nullptr, record_at(480, kHour, 48000, kRecordSilence));
    node.push(sound.data(), record_at(480 + kHour, 480, 48000));
    node.finish();
    const double length = std::round((kHour + 960) * (out / 48000.0));
    CHECK(queue->available() == static_cast<uint64_t>(length));
    CHECK(queue->lost_frames() == 0);
    bool flagged = false;
    uint64_t first_sound = 0;
    float last = 0;
    while (queue->available() > 0) {
      const FrameQueue::Span span = queue->front(480);
      flagged = flagged || span.flags == kRecordSilence;
      if (span.frame > 48000 && span.samples != nullptr && first_sound == 0) {
        for (size_t i = 0; i < span.frames; ++i) {
          if (span.samples[2 * i] > 0.125f && first_sound == 0) first_sound = span.frame + i;
        }
      }
      if (span.samples != nullptr) last = span.samples[2 * (span.frames - 1)];
      queue->advance(span.frames);
    }
    CHECK(flagged);
    CHECK_NEAR(static_cast<double>(first_sound), (kHour + 480) * (out / 48000.0), 1.5);
    CHECK(last != 0);
  }
}

TEST("the end goes through at once where it should, and is told") {
  CountingWakeup wakeup;
  for (const bool ends : {true, false}) {
    FilterNode node(effect(std::make_shared<GainRamp>(2)), 480, &wakeup);
    auto queue = std::make_shared<FrameQueue>(2, 48000, 4800);
    node.attach(queue, nullptr);
    node.set_ends(ends);
    const std::vector<float> samples(2 * 480, 0.5f);
    node.push(samples.data(), record_at(0, 480, 48000));
    node.end();
    CHECK(queue->ended() == ends);
    NodeEvent event;
    CHECK(node.events().pop(&event) && event.type == NodeEventType::kProgress);
    CHECK(node.events().pop(&event) && event.type == NodeEventType::kInputEnded);
    node.finish();
    CHECK(queue->ended());
    CHECK(read_all(*queue) == samples);
  }
}

TEST("filters are linked and taken out while their source runs") {
  class Source final : public Producer {
   public:
    void packet(uint64_t frame) {
      const std::vector<float> samples(2 * 48, 0.5f);
      deliver(samples.data(), record_at(frame, 48, 48000));
    }
  };
  CountingWakeup wakeup;
  Source source;
  std::atomic<bool> stop{false};
  std::thread audio([&] {
    for (uint64_t frame = 0; !stop.load(std::memory_order_acquire); frame += 48) {
      source.packet(frame);
    }
  });
  for (int i = 0; i < 200; ++i) {
    auto gain = std::make_shared<GainRamp>(2);
    auto first = std::make_shared<FilterNode>(effect(gain), 0, &wakeup);
    auto second = std::make_shared<FilterNode>(converter(48000, 44100), 0, &wakeup);
    auto queue = std::make_shared<FrameQueue>(2, 44100, 48000);
    second->attach(queue, nullptr);
    first->attach(second, nullptr);
    source.attach(first, nullptr);
    gain->set(0.5f, 100);
    while (queue->available() < 100) std::this_thread::yield();
    if (i % 2 == 0) first->detach(second.get());
    source.detach(first.get());
    first->finish();
    second->finish();
    CHECK(queue->ended());
  }
  stop.store(true, std::memory_order_release);
  audio.join();
}
