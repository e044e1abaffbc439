// Filters in the engine: exact lengths and times, silence by the hour, and threads that come and
// go.
#include <atomic>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "../../src/core/graph/filter_node.h"
#include "../../src/core/graph/frame_queue.h"
#include "../../src/core/signal/converter.h"
#include "../../src/core/signal/gain.h"
#include "../../src/core/signal/limiter.h"
#include "../../src/core/signal/loudness_normalizer.h"
#include "../../src/core/signal/metering.h"
#include "check.h"
#include "random_signal.h"

using namespace patchcord;

namespace {

std::unique_ptr<Filter> converter(uint32_t in, uint32_t out) {
  return std::make_unique<Converter>(Filter::Shape{in, 2}, Filter::Shape{out, 2},
                                     ResamplerQuality::kHigh);
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

TEST("a filter's stream is as long as its input, with packets of any size") {
  for (const auto& [in, out] : {std::pair<uint32_t, uint32_t>{48000, 44100},
                                {44100, 48000},
                                {48000, 16000},
                                {8000, 192000},
                                {192000, 8000},
                                {48000, 48000}}) {
    for (const size_t total : {1u, 479u, 20011u}) {
      FilterNode node(converter(in, out), 0);
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

TEST("a limiter in the engine does not change sound below its ceiling, or its position") {
  FilterNode node(effect(std::make_shared<Limiter>(48000, 2)), 0);
  auto queue = std::make_shared<FrameQueue>(2, 48000, 1u << 16);
  node.attach(queue, nullptr);
  const std::vector<float> samples = RandomSignal(3).samples(2 * 9600, 0.5f);
  for (size_t done = 0; done < 9600; done += 480) {
    node.push(samples.data() + 2 * done, record_at(done, 480, 48000));
  }
  node.finish();
  CHECK(read_all(*queue) == samples);
}

TEST("times pass through: an output frame has the time of its input frame") {
  constexpr double kTrue = 48000 * 1.0002;
  FilterNode node(converter(48000, 16000), 0);
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
  for (const uint32_t out : {48000u, 44100u}) {
    FilterNode node(converter(48000, out), 0);
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

namespace {

// The same sound and silence for two filters: one gets the silence as records, as from a live
// stream, the other as zeros, as when it is written.
class Silences {
 public:
  template <class Effect>
  Silences(uint32_t rate, const std::shared_ptr<Effect>& live,
           const std::shared_ptr<Effect>& written)
      : rate_(rate), nodes_{make(live), make(written)} {
    for (size_t i = 0; i < 2; ++i) nodes_[i]->attach(queues_[i], nullptr);
  }

  void sound(double seconds, float level) {
    samples_.resize(2 * static_cast<size_t>(seconds * rate_));
    for (size_t i = 0; i < samples_.size(); ++i) {
      samples_[i] = level * static_cast<float>(std::sin(0.1 * static_cast<double>(i / 2)));
    }
    const size_t frames = samples_.size() / 2;
    for (auto& node : nodes_) node->push(samples_.data(), record_at(frame_, frames, rate_));
    frame_ += frames;
    compare();
  }
  void silence(uint64_t frames) {
    samples_.assign(2 * frames, 0.0f);
    nodes_[0]->push(nullptr, record_at(frame_, frames, rate_, kRecordSilence));
    nodes_[1]->push(samples_.data(), record_at(frame_, frames, rate_));
    frame_ += frames;
    compare();
  }

 private:
  template <class Effect>
  std::unique_ptr<FilterNode> make(const std::shared_ptr<Effect>& effect) {
    return std::make_unique<FilterNode>(
        std::make_unique<EffectFilter<Effect>>(Filter::Shape{rate_, 2}, effect), 0);
  }
  void compare() { CHECK(read_all(*queues_[0]) == read_all(*queues_[1])); }

  const uint32_t rate_;
  std::unique_ptr<FilterNode> nodes_[2];
  std::shared_ptr<FrameQueue> queues_[2] = {std::make_shared<FrameQueue>(2, rate_, 1u << 20),
                                            std::make_shared<FrameQueue>(2, rate_, 1u << 20)};
  std::vector<float> samples_;
  uint64_t frame_ = 0;
};

template <class Effect>
void silences(uint32_t rate, const std::shared_ptr<Effect>& live,
              const std::shared_ptr<Effect>& written, const std::function<void()>& look) {
  Silences both(rate, live, written);
  RandomSignal random(9);
  for (const double seconds : {0.3, 1.7, 12.0}) {
    both.sound(0.8, 1.5f);
    look();
    for (auto left = static_cast<uint64_t>(seconds * rate); left > 0;) {
      const auto frames = std::min<uint64_t>(left, random.whole(1, 3000));
      both.silence(frames);
      look();
      left -= frames;
    }
    both.sound(0.7, 0.05f);
    look();
  }
}

}  // namespace

TEST("a loudness meter sees the silence of a live stream as it sees zeros") {
  for (const uint32_t rate : {8000u, 22050u, 44111u}) {
    auto live = std::make_shared<Metering>(rate, 2), written = std::make_shared<Metering>(rate, 2);
    silences(rate, live, written, [&] {
      const Loudness a = live->loudness(), b = written->loudness();
      CHECK(a.momentary == b.momentary && a.short_term == b.short_term);
      CHECK(a.integrated == b.integrated && a.range == b.range);
      CHECK(a.true_peak == b.true_peak && a.max_true_peak == b.max_true_peak);
      CHECK(live->level().overall.rms == written->level().overall.rms);
    });
  }
  auto live = std::make_shared<Metering>(8000, 2);
  Silences both(8000, live, std::make_shared<Metering>(8000, 2));
  both.sound(4, 0.1f);
  CHECK(live->loudness().short_term > -30);
  both.silence(80000);
  CHECK(std::isinf(live->loudness().short_term));
}

TEST("a fade continues in the silence of a live stream") {
  auto live = std::make_shared<GainRamp>(2), written = std::make_shared<GainRamp>(2);
  int looks = 0;
  silences(8000, live, written, [&] {
    CHECK(live->gain() == written->gain());
    if (++looks % 10 != 0) return;
    const float gain = looks % 20 == 0 ? 1.0f : 0.25f;
    live->set(gain, 32000);
    written->set(gain, 32000);
  });
}

TEST("limiter and normalizer come out of a live stream's silence as out of zeros") {
  for (const uint32_t rate : {8000u, 44100u}) {
    silences(rate, std::make_shared<Limiter>(rate, 2), std::make_shared<Limiter>(rate, 2), [] {});
    auto live = std::make_shared<LoudnessNormalizer>(rate, 2);
    auto written = std::make_shared<LoudnessNormalizer>(rate, 2);
    silences(rate, live, written, [&] { CHECK(live->gain_db() == written->gain_db()); });
  }
}

TEST("the end passes through at once where it should, and is reported") {
  for (const bool ends : {true, false}) {
    FilterNode node(effect(std::make_shared<GainRamp>(2)), 480);
    auto queue = std::make_shared<FrameQueue>(2, 48000, 4800);
    node.attach(queue, nullptr);
    node.set_ends(ends);
    const std::vector<float> samples(2 * 480, 0.5f);
    node.push(samples.data(), record_at(0, 480, 48000));
    node.end();
    CHECK(queue->ended() == ends);
    const std::vector<NodeEvent> events = node.events()->take();
    CHECK(events.size() == 2);
    CHECK(events[0].type == NodeEventType::kProgress);
    CHECK(events[1].type == NodeEventType::kInputEnded);
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
  Source source;
  std::atomic<bool> stop{false};
  std::thread audio([&] {
    for (uint64_t frame = 0; !stop.load(std::memory_order_acquire); frame += 48) {
      source.packet(frame);
    }
  });
  for (int i = 0; i < 200; ++i) {
    auto gain = std::make_shared<GainRamp>(2);
    auto first = std::make_shared<FilterNode>(effect(gain), 0);
    auto second = std::make_shared<FilterNode>(converter(48000, 44100), 0);
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
