// The cost of mixing in the engine. Prints one JSON object: how many times faster than real time
// written inputs are mixed, and which share of a core live inputs take, each with its own clock.
#include <time.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>

#include "../../src/core/graph/mixer_node.h"
#include "../../src/core/graph/source_node.h"
#include "../../test/native/sine_fit.h"
#include "../../test/native/still_clock.h"

using namespace patchcord;

namespace {

constexpr uint32_t kRate = 48000;
constexpr size_t kPeriod = 480;
constexpr uint32_t kStereo = 2;

double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Writes blocks of 480 frames to each input, and reads as many.
double written_x_real_time(size_t inputs) {
  const auto events = std::make_shared<NodeEvents>();
  MixerNode mixer(MixerNode::Config{});
  std::vector<MixerNode::Input> all;
  for (size_t i = 0; i < inputs; ++i) {
    WrittenInput::Config config;
    config.format = {kRate, kStereo, SampleFormat::kF32};
    config.buffer_frames = 4800;
    auto written = std::make_shared<WrittenInput>(config, nullptr, events);
    MixerNode::Input input;
    input.controls = std::make_shared<InputControls>(kStereo, kRate);
    input.written = written;
    input.events = events;
    all.push_back(input);
  }
  mixer.publish(all);
  auto queue = std::make_shared<FrameQueue>(kStereo, kRate, kRate);
  mixer.attach(queue, nullptr);
  const std::vector<float> block = sine(440, kRate, kPeriod, kStereo, 0.4);
  std::vector<float> out(kPeriod * kStereo);
  const auto run = [&](size_t blocks) {
    const double start = cpu_seconds();
    for (size_t i = 0; i < blocks; ++i) {
      for (const auto& input : all) input.written->write(block.data(), kPeriod);
      mixer.mix_written(kPeriod);
      queue->read(out.data(), kPeriod);
      events->take();
    }
    return cpu_seconds() - start;
  };
  run(200);
  return 40 / run(4000);
}

// A source with its own rate for each input: per cent of a core, and the mixer's part of that
// (resampling, summing, limiting).
struct Share {
  double all, mixing;
};
Share live_share(size_t inputs) {
  const auto events = std::make_shared<NodeEvents>();
  StillClock clock;
  MixerNode mixer(MixerNode::Config{});
  std::vector<std::unique_ptr<SourceNode>> sources;
  std::vector<MixerNode::Input> all;
  std::vector<double> rates;
  for (size_t i = 0; i < inputs; ++i) {
    sources.push_back(std::make_unique<SourceNode>(clock, SourceNode::Config{kRate, kStereo}));
    sources.back()->open({kRate, kStereo, SampleFormat::kF32});
    auto queue = std::make_shared<FrameQueue>(kStereo, kRate, kRate);
    sources.back()->attach(queue, nullptr);
    MixerNode::Input input;
    input.controls = std::make_shared<InputControls>(kStereo, kRate);
    input.live = std::make_shared<LiveInput>(queue, kRate, kStereo);
    input.events = events;
    all.push_back(input);
    rates.push_back(kRate * (1 + (static_cast<double>(i) - 3.5) * 50e-6));
  }
  mixer.publish(all);
  const std::vector<float> packet = sine(440, kRate, kPeriod, kStereo, 0.1);
  std::vector<float> out(kPeriod * kStereo);
  std::vector<int64_t> positions(inputs, 0);
  double mixing = 0, start = 0;
  constexpr int kWarmUp = 1000, kTurns = 4000;
  for (int turn = 0; turn < kWarmUp + kTurns; ++turn) {
    if (turn == kWarmUp) {
      start = cpu_seconds();
      mixing = 0;
    }
    const double now = turn * 0.01;
    clock.set(static_cast<int64_t>(now * 1e9));
    for (size_t i = 0; i < inputs; ++i) {
      while (static_cast<double>(positions[i] + static_cast<int64_t>(kPeriod)) / rates[i] <= now) {
        const double heard = static_cast<double>(positions[i]) / rates[i];
        sources[i]->packet(packet.data(), kPeriod, positions[i], static_cast<int64_t>(heard * 1e9),
                           false);
        positions[i] += kPeriod;
      }
    }
    const double before = cpu_seconds();
    mixer.pull(out.data(), kPeriod, {now * 1e9, kRate});
    mixing += cpu_seconds() - before;
  }
  const double seconds = kTurns * 0.01;
  return {100 * (cpu_seconds() - start) / seconds, 100 * mixing / seconds};
}

}  // namespace

int main() {
  const Share two = live_share(2), eight = live_share(8);
  std::printf("{\"written\":{\"2\":%.0f,\"8\":%.0f},", written_x_real_time(2),
              written_x_real_time(8));
  std::printf(
      "\"live\":{\"2\":{\"all\":%.3f,\"mixing\":%.3f},\"8\":{\"all\":%.3f,\"mixing\":%.3f}}}\n",
      two.all, two.mixing, eight.all, eight.mixing);
}
