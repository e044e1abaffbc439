// The graph: queues, published values, mixer, sink. Threads are real where they meet in
// the engine, so that ThreadSanitizer sees what an app would.
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "../../src/core/graph/frame_queue.h"
#include "../../src/core/graph/live_input.h"
#include "../../src/core/graph/mixer_node.h"
#include "../../src/core/graph/sink_node.h"
#include "../../src/core/graph/source_node.h"
#include "../../src/core/graph/written_queue.h"
#include "../../src/core/published.h"
#include "../../src/core/time/timeline.h"
#include "check.h"
#include "still_clock.h"

using namespace patchcord;

namespace {

constexpr uint32_t kRate = 48000;
constexpr int64_t kPeriodNs = 10 * kNsPerMs;
constexpr size_t kPeriod = 480;

Record record_of(uint64_t frame, uint64_t frames, uint32_t flags = 0) {
  return {frame, frames, static_cast<double>(frame) * 1e9 / kRate, kRate, flags};
}

// Frame n of every channel holds n, exact in a float up to 2^24.
std::vector<float> counting(uint64_t from, size_t frames, uint32_t channels) {
  std::vector<float> samples(frames * channels);
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i] = static_cast<float>(from + i / channels);
  }
  return samples;
}

}  // namespace

constexpr uint64_t kFade = 144;  // frames: sound falls into what was lost, and rises behind it

TEST(
    "a queue keeps the oldest frames, counts the newest as lost, and continues at the right "
    "position") {
  FrameQueue queue(2, kRate, 4800);
  uint64_t frame = 0;
  for (; frame < 48000; frame += kPeriod) {
    queue.push(counting(frame, kPeriod, 2).data(), record_of(frame, kPeriod));
  }
  CHECK(queue.lost_frames() > 0);
  std::vector<float> out(kPeriod * 2);
  uint64_t expected = 0, lost = 0, rising = 0;
  // Reading makes room; what was lost in between becomes a hole of its length.
  for (int turn = 0; turn < 200; ++turn, frame += kPeriod) {
    for (;;) {
      const FrameQueue::Span span = queue.front(kPeriod);
      if (span.frames == 0) break;
      CHECK(span.frame == expected);
      if (span.flags == kRecordLost) {
        CHECK(span.samples == nullptr || span.frames == kFade);
        lost += span.frames;
        rising = kFade;
      } else {
        CHECK(rising > 0 || span.samples[0] == static_cast<float>(expected));
        rising -= std::min<uint64_t>(rising, span.frames);
      }
      expected += span.frames;
      queue.advance(span.frames);
    }
    queue.push(counting(frame, kPeriod, 2).data(), record_of(frame, kPeriod));
  }
  CHECK(lost == queue.lost_frames());
  CHECK(queue.available() == kPeriod);
}

TEST("a loss before the end is reported at the end") {
  FrameQueue queue(1, kRate, 1000);
  uint64_t frame = 0;
  for (; frame < 9600; frame += kPeriod) {
    queue.push(counting(frame, kPeriod, 1).data(), record_of(frame, kPeriod));
  }
  queue.end();
  CHECK(!queue.drained());
  std::vector<float> out(20000);
  CHECK(queue.available() == 9600);
  CHECK(queue.read(out.data(), 20000) == 9600);
  CHECK(queue.drained());
  CHECK(out[9599] == 0);
}

TEST("an hour of silence costs no room") {
  FrameQueue queue(2, kRate, 480);
  queue.push(nullptr, record_of(0, 3600ull * kRate, kRecordSilence));
  queue.push(counting(3600ull * kRate, 100, 2).data(), record_of(3600ull * kRate, 100));
  CHECK(queue.lost_frames() == 0);
  queue.skip_to(3600ull * kRate - 10);
  std::vector<float> out(220);
  CHECK(queue.read(out.data(), 110) == 110);
  CHECK(out[0] == 0);
  CHECK(out[20] != 0);
}

TEST("packets of any size: nothing is lost as long as there is room for the frames") {
  for (const size_t packet : {1u, 16u, 63u, 64u, 128u, 480u}) {
    FrameQueue queue(1, kRate, kRate);
    for (uint64_t frame = 0; frame + packet <= kRate; frame += packet) {
      queue.push(counting(frame, packet, 1).data(), record_of(frame, packet));
    }
    CHECK(queue.lost_frames() == 0);
    uint64_t read = 0;
    for (; queue.available() > 0; ++read) {
      const FrameQueue::Span span = queue.front(1);
      CHECK(span.frame == read && span.samples[0] == counting(read, 1, 1)[0]);
      CHECK_NEAR(span.time, record_of(read, 1).time, 1e3);
      queue.advance(1);
    }
    CHECK(read == kRate / packet * packet);
  }
}

TEST(
    "an hour of silence that comes in packets costs no room either, and times that step are kept") {
  FrameQueue queue(1, kRate, 4800);
  constexpr uint64_t kPackets = 360000;
  for (uint64_t i = 0; i < kPackets; ++i) {
    Record record = record_of(i * kPeriod, kPeriod);
    record.flags = kRecordSilence;
    if (i >= kPackets / 2) record.time += 5e9;
    queue.push(nullptr, record);
  }
  CHECK(queue.lost_frames() == 0 && queue.available() == kPackets * kPeriod);
  const uint64_t half = kPackets / 2 * kPeriod;
  queue.skip_to(half - 1);
  CHECK_NEAR(queue.front(1).time, record_of(half - 1, 1).time, 1e3);
  queue.skip_to(half);
  CHECK_NEAR(queue.front(1).time, record_of(half, 1).time + 5e9, 1e3);
}

TEST("one thread writes a queue, another reads it: every frame arrives or is counted") {
  FrameQueue queue(2, kRate, 2048);
  constexpr uint64_t kTotal = 2000000;
  std::thread producer([&] {
    uint64_t frame = 0;
    for (uint32_t turn = 0; frame < kTotal; ++turn) {
      const size_t frames = 1 + (turn * 7919) % 700;
      const bool silent = turn % 11 == 0;
      const std::vector<float> samples = counting(frame % (1 << 24), frames, 2);
      queue.push(silent ? nullptr : samples.data(),
                 record_of(frame, frames, silent ? kRecordSilence : 0u));
      frame += frames;
    }
    queue.end();
  });
  uint64_t expected = 0, lost = 0, wrong = 0, rising = 0;
  while (!queue.drained()) {
    const FrameQueue::Span span = queue.front(333);
    if (span.frames == 0) {
      std::this_thread::yield();
      continue;
    }
    if (span.frame != expected) ++wrong;
    if (span.flags == kRecordLost) {
      lost += span.frames;
      rising = kFade;
    }
    const bool sound = span.flags == 0;
    if (sound && rising == 0 && span.samples[0] != static_cast<float>(expected % (1 << 24))) {
      // A span may cross 2^24, where counting() began again at its record.
      if (expected % (1 << 24) != 0 && span.samples[0] < (1 << 24)) ++wrong;
    }
    if (sound) rising -= std::min<uint64_t>(rising, span.frames);
    expected += span.frames;
    queue.advance(span.frames);
  }
  producer.join();
  CHECK(wrong == 0);
  CHECK(expected >= kTotal);
  CHECK(lost == queue.lost_frames());
}

TEST("a published value is never freed while it is read") {
  Published<std::vector<int>> published;
  std::atomic<bool> stop{false};
  uint64_t wrong = 0;
  std::thread reader([&] {
    while (!stop.load(std::memory_order_acquire)) {
      Published<std::vector<int>>::Reading value(published);
      if (!value) continue;
      for (int one : *value) {
        if (one != value->front()) ++wrong;
      }
    }
  });
  for (int i = 0; i < 20000; ++i) {
    published.exchange(std::make_unique<std::vector<int>>(16 + i % 16, i));
  }
  stop.store(true, std::memory_order_release);
  reader.join();
  CHECK(wrong == 0);
}

TEST("what an audio thread shows is read whole") {
  Shown<Anchor> anchor;
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (double n = 1; !stop.load(std::memory_order_acquire); ++n) anchor.store({n, 2 * n, 3 * n});
  });
  uint64_t wrong = 0;
  for (int i = 0; i < 200000; ++i) {
    const Anchor value = anchor.load();
    if (value.time != 2 * value.frame || value.rate != 3 * value.frame) ++wrong;
  }
  stop.store(true, std::memory_order_release);
  writer.join();
  CHECK(wrong == 0);
}

TEST("a source gives every consumer its own place, also when they come and go while it runs") {
  StillClock clock;
  SourceNode source(clock, {kRate, 2, 0, 0, false});
  source.open({kRate, 2, SampleFormat::kF32});
  std::atomic<bool> stop{false};
  std::thread audio([&] {
    const std::vector<float> samples(kPeriod * 2, 0.25f);
    for (int64_t position = 0; !stop.load(std::memory_order_acquire); position += kPeriod) {
      source.packet(samples.data(), kPeriod, position, position * kNsPerSecond / kRate, false);
    }
    source.finish();
  });
  for (int i = 0; i < 500; ++i) {
    auto queue = std::make_shared<FrameQueue>(2, kRate, 48000);
    source.attach(queue, nullptr);
    while (queue->available() < kPeriod) std::this_thread::yield();
    const FrameQueue::Span span = queue->front(1);
    CHECK(span.frames == 1);
    source.detach(queue.get());
  }
  stop.store(true, std::memory_order_release);
  audio.join();
}

TEST("a consumer that joins a source at its end receives the end, once") {
  class Ended final : public Receiver {
   public:
    void push(const float*, const Record&) noexcept override {}
    void end() noexcept override { ++times; }
    size_t room() const noexcept override { return SIZE_MAX; }
    int times = 0;  // no atomic: ThreadSanitizer sees who else is here
  };
  StillClock clock;
  for (int i = 0; i < 2000; ++i) {
    SourceNode source(clock, {kRate, 2, 0, 0, false});
    source.open({kRate, 2, SampleFormat::kF32});
    std::atomic<bool> go{false};
    std::thread audio([&] {
      while (!go) {
      }
      source.finish();
    });
    auto receiver = std::make_shared<Ended>();
    go = true;
    source.attach(receiver, nullptr);
    audio.join();
    CHECK(receiver->times == 1);
  }
}

TEST("written inputs are mixed to the bit, however they are cut") {
  const auto mixed = [](size_t cut, bool limiter) {
    auto events = std::make_shared<NodeEvents>();
    MixerNode mixer({kRate, 2, 30e6, limiter});
    auto queue = std::make_shared<FrameQueue>(2, kRate, 20000);
    mixer.attach(queue, nullptr);
    std::vector<MixerNode::Input> inputs(2);
    for (MixerNode::Input& input : inputs) {
      input.controls = std::make_shared<InputControls>(2, kRate);
      input.written = std::make_shared<WrittenInput>(
          WrittenInput::Config{{kRate, 2, SampleFormat::kF32}, kRate, 2, 4096, 0}, nullptr, events);
      input.events = events;
    }
    mixer.publish(inputs);
    std::vector<float> a(6000 * 2), b(5000 * 2);
    for (size_t i = 0; i < a.size(); ++i) a[i] = std::sin(static_cast<float>(i) * 0.01f) * 0.7f;
    for (size_t i = 0; i < b.size(); ++i) b[i] = std::cos(static_cast<float>(i) * 0.02f) * 0.6f;
    size_t at_a = 0, at_b = 0;
    std::vector<float> all, out(20000 * 2);
    for (int turn = 0; turn < 20000 && !mixer.written_out(); ++turn) {
      at_a += inputs[0].written->write(&a[at_a * 2 % a.size()], std::min(cut, 6000 - at_a));
      at_b += inputs[1].written->write(&b[at_b * 2 % b.size()], std::min(cut, 5000 - at_b));
      if (at_a == 6000) inputs[0].written->end();
      if (at_b == 5000) inputs[1].written->end();
      mixer.mix_written(cut);
      const size_t frames = queue->read(out.data(), 20000);
      all.insert(all.end(), out.begin(), out.begin() + static_cast<long>(frames * 2));
    }
    mixer.publish({});
    return all;
  };
  for (const bool limiter : {false, true}) {
    const std::vector<float> whole = mixed(4096, limiter);
    CHECK(whole.size() == 6000 * 2);
    for (const size_t cut : {1ul, 7ul, 480ul, 1024ul, 3000ul}) CHECK(mixed(cut, limiter) == whole);
  }
}

TEST("a live input follows a clock 200 ppm off without a break") {
  StillClock clock;
  SourceNode source(clock, {kRate, 1, 0, 0, false});
  source.open({kRate, 1, SampleFormat::kF32});
  auto queue = std::make_shared<FrameQueue>(1, kRate, kRate);
  source.attach(queue, nullptr);
  LiveInput input(queue, kRate, 1);
  const double fast = kRate * (1 + 200e-6);
  std::vector<float> packet(kPeriod), out(kPeriod);
  int64_t position = 0;
  double peak = 0;
  for (int turn = 0; turn < 6000; ++turn) {
    const int64_t now = turn * kPeriodNs;
    clock.set(now);
    while (static_cast<double>(position + kPeriod) * 1e9 / fast <= static_cast<double>(now)) {
      for (size_t i = 0; i < kPeriod; ++i) {
        const double phase = 2 * 3.14159265358979 * 997 / fast * static_cast<double>(position + i);
        packet[i] = static_cast<float>(0.5 * std::sin(phase));
      }
      source.packet(packet.data(), kPeriod, position,
                    static_cast<int64_t>(static_cast<double>(position) * 1e9 / fast), false);
      position += kPeriod;
    }
    input.pull(out.data(), kPeriod, {static_cast<double>(now) - 30e6, kRate});
    if (turn < 500) continue;
    // A break shows in the second difference of a sine.
    for (size_t i = 2; i < kPeriod; ++i) {
      peak = std::max<double>(peak, std::fabs(out[i] - 2 * out[i - 1] + out[i - 2]));
    }
  }
  CHECK_NEAR(input.ppm(), 200, 5);
  CHECK(input.stats().starvations == 0);
  CHECK(input.stats().resyncs == 0);
  const double step = 2 * 3.14159265358979 * 997 / kRate;
  CHECK(peak < 0.5 * step * step * 1.05);
}

TEST("the mix goes from pump to sink and back without losing or repeating a frame") {
  StillClock clock;
  SourceNode source(clock, {kRate, 1, 0, 0, false});
  source.open({kRate, 1, SampleFormat::kF32});
  auto queue = std::make_shared<FrameQueue>(1, kRate, kRate);
  source.attach(queue, nullptr);
  MixerNode mixer({kRate, 1, 30e6, false});
  auto tap = std::make_shared<FrameQueue>(1, kRate, 10 * kRate);
  mixer.attach(tap, nullptr);
  MixerNode::Input input;
  input.controls = std::make_shared<InputControls>(1, kRate);
  input.live = std::make_shared<LiveInput>(queue, kRate, 1);
  mixer.publish({input});
  std::vector<float> packet(kPeriod), out(kPeriod);
  int64_t next_pump = kPeriodNs, next_pull = 0;
  const auto pulls = [](int64_t now) { return (now / kNsPerSecond) % 2 == 1; };
  for (int64_t now = kPeriodNs; now < 6 * kNsPerSecond; now += kNsPerMs) {
    if (now % kPeriodNs == 0) {
      const int64_t position = (now / kPeriodNs - 1) * static_cast<int64_t>(kPeriod);
      for (size_t i = 0; i < kPeriod; ++i) {
        packet[i] = static_cast<float>(
            0.5 * std::sin(2 * 3.14159265358979 * 997 / kRate *
                           static_cast<double>(position + static_cast<int64_t>(i))));
      }
      source.packet(packet.data(), kPeriod, position, now - kPeriodNs, false);
    }
    if (pulls(now)) {
      // Out of step with the pump by 7 ms.
      if (!pulls(now - kNsPerMs)) next_pull = now + 7 * kNsPerMs;
      if (now < next_pull) {
        if (now >= next_pump) next_pump = mixer.pump(now);
        continue;
      }
      mixer.pull(out.data(), kPeriod, {static_cast<double>(now), kRate});
      next_pull += kPeriodNs;
    } else {
      if (pulls(now - kNsPerMs)) {
        mixer.release_driver();
        next_pump = now;
      }
      if (now >= next_pump) next_pump = mixer.pump(now);
    }
  }
  CHECK(mixer.skipped_frames() == 0);
  CHECK_NEAR(mixer.lag_ns(), 30e6, 1e6);
  std::vector<float> all(tap->available());
  tap->read(all.data(), all.size());
  CHECK_NEAR(static_cast<double>(all.size()), 5.96 * kRate, 0.04 * kRate);
  const double step = 2 * 3.14159265358979 * 997 / kRate;
  double peak = 0;
  for (size_t i = kRate / 10; i < all.size(); ++i) {
    peak = std::max<double>(peak, std::fabs(all[i] - 2 * all[i - 1] + all[i - 2]));
  }
  CHECK(peak < 0.5 * step * step * 1.05);
}

TEST("a sink plays, fades between what it plays, and says when the written end was heard") {
  StillClock clock;
  SinkNode sink(clock);
  sink.open({kRate, 2, SampleFormat::kF32});
  auto written = std::make_shared<WrittenQueue>(sink.events());
  written->open({{kRate, 2, SampleFormat::kF32}, kRate, 2, 4800, 0});
  sink.publish(written, nullptr);
  const std::vector<float> samples(960 * 2, 0.5f);
  CHECK(written->write(samples.data(), 960) == 960);
  std::vector<float> out(kPeriod * 2);
  double sum = 0;
  bool played = false;
  for (int turn = 0; turn < 40; ++turn) {
    clock.set(turn * kPeriodNs);
    sink.render(out.data(), kPeriod, (turn + 2) * kPeriodNs);
    for (float sample : out) sum += sample;
    for (const NodeEvent& event : sink.events()->take()) {
      played |= event.type == NodeEventType::kPlayed;
    }
  }
  CHECK_NEAR(sum, 960 * 2 * 0.5, 1);
  CHECK(played);
  CHECK(sink.stats().underruns == 0);
}

TEST("a consumer that waits for a whole chunk is woken when it is complete, once") {
  FrameQueue queue(1, kRate, 4800);
  uint64_t frame = 0;
  const auto push = [&](size_t frames) {
    queue.push(counting(frame, frames, 1).data(), record_of(frame, frames));
    frame += frames;
    return queue.take_awaited();
  };
  CHECK(push(160));  // the first record tells where the stream is
  CHECK(!queue.await(480));
  CHECK(!push(160));
  CHECK(push(160));
  CHECK(!push(160));
  CHECK(queue.await(480));
  queue.skip_to(480);
  CHECK(!queue.await(480));
  CHECK(!push(160) && push(160));
}

TEST("one thread waits for chunks that another makes of packets, and sleeps through none") {
  class Bell final : public Wakeup {
   public:
    void wake() noexcept override { rung.store(true, std::memory_order_release); }
    std::atomic<bool> rung{false};
  };
  const auto bell = std::make_shared<Bell>();
  StillClock clock;
  SourceNode source(clock, {kRate, 1, 0, 0, false});
  source.open({kRate, 1, SampleFormat::kF32});
  const auto queue = std::make_shared<FrameQueue>(1, kRate, kRate);
  source.attach(queue, bell);
  constexpr size_t kChunks = 20000;
  std::atomic<size_t> read{0};
  std::thread audio([&] {
    const std::vector<float> samples(160, 0.5f);
    for (size_t packet = 0; packet < 3 * kChunks; ++packet) {
      while (packet > 3 * read.load(std::memory_order_acquire) + 30) std::this_thread::yield();
      const int64_t position = static_cast<int64_t>(160 * packet);
      source.packet(samples.data(), 160, position, position * kNsPerSecond / kRate, false);
    }
  });
  std::vector<float> chunk(kPeriod);
  while (read.load(std::memory_order_relaxed) < kChunks) {
    if (queue->await(kPeriod)) {
      queue->read(chunk.data(), kPeriod);
      read.fetch_add(1, std::memory_order_release);
      continue;
    }
    // The test ends because no bell is missed, or not at all.
    while (!bell->rung.exchange(false, std::memory_order_acquire)) std::this_thread::yield();
  }
  audio.join();
}

TEST("sound that comes after its place was mixed as an idle stream's silence is counted") {
  const auto queue = std::make_shared<FrameQueue>(1, kRate, kRate);
  LiveInput input(queue, kRate, 1);
  std::vector<float> out(kPeriod);
  uint64_t frame = 0;
  const auto pull = [&](double at) { input.pull(out.data(), kPeriod, {at * 1e9 / kRate, kRate}); };
  queue->push(nullptr, record_of(0, 4800, kRecordSilence));
  frame = 4800;
  for (double at = 0; at < 9600; at += kPeriod) pull(at);
  // It has said that there is nothing, so far as it knew.
  CHECK(input.stats().starvations == 0);
  const std::vector<float> sound(9600, 0.5f);
  queue->push(sound.data(), record_of(frame, 9600));
  pull(9600);
  CHECK(input.stats().starvations == 1);
  CHECK_NEAR(static_cast<double>(input.stats().starved_frames), 4800, kPeriod);
  CHECK(std::fabs(out.back() - 0.5f) < 1e-3f);
}

TEST("an underrun of an input is counted for its whole length") {
  const auto queue = std::make_shared<FrameQueue>(1, kRate, kRate);
  LiveInput input(queue, kRate, 1);
  std::vector<float> out(kPeriod);
  const std::vector<float> sound(4800, 0.5f);
  queue->push(sound.data(), record_of(0, 4800));
  for (double at = 0; at < 9600; at += kPeriod) {
    input.pull(out.data(), kPeriod, {at * 1e9 / kRate, kRate});
  }
  CHECK(input.stats().starvations == 1);
  CHECK_NEAR(static_cast<double>(input.stats().starved_frames), 4800, 64);
}

TEST("a late wake of the sink moves nothing upstream") {
  StillClock clock;
  SinkNode sink(clock);
  sink.open({kRate, 1, SampleFormat::kF32});
  struct Asked final : Pullable {
    void pull(float* to, size_t frames, const PullTime& when) noexcept override {
      std::fill_n(to, frames, 0.0f);
      if (next != 0) worst = std::max(worst, std::fabs(when.time - next));
      next = when.time + static_cast<double>(frames) * 1e9 / when.rate;
    }
    double next = 0, worst = 0;
  };
  const auto asked = std::make_shared<Asked>();
  sink.publish(nullptr, asked);
  std::vector<float> out(kPeriod);
  // The device holds 200 ms; its thread sleeps for 150 of them and then fills up at once.
  for (int64_t turn = 0; turn < 300; ++turn) {
    const int64_t late = turn >= 200 && turn < 215 ? 215 - turn : 0;
    clock.set((turn + late) * kPeriodNs);
    sink.render(out.data(), kPeriod, (turn + 20) * kPeriodNs);
  }
  CHECK(asked->worst < 100e3);
  CHECK_NEAR(sink.lead_ns(), 200e6, 1e6);
}
