#include "../../src/core/signal/level_meter.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include "check.h"
#include "sine_fit.h"

using namespace patchcord;

TEST("peak and RMS of each channel over the last 100 ms") {
  LevelMeter meter(2, 48000);
  std::vector<float> tone = sine(1000, 48000, 4800, 2, 0.5);
  for (size_t i = 1; i < tone.size(); i += 2) tone[i] = 0.25f;
  meter.process(tone.data(), 4800);
  const LevelMeter::Snapshot level = meter.snapshot();
  CHECK(level.channels == 2);
  CHECK_NEAR(level.channel[0].peak, 0.5, 1e-6);
  CHECK_NEAR(level.channel[0].rms, 0.5 / std::sqrt(2.0), 1e-6);
  CHECK(level.channel[1].peak == 0.25f && level.channel[1].rms == 0.25f);
  CHECK_NEAR(level.overall.peak, 0.5, 1e-6);
  CHECK_NEAR(level.overall.rms, std::sqrt((0.125 + 0.0625) / 2), 1e-6);
}

TEST("every number of channels is measured as one channel alone, whatever the blocks are") {
  for (uint32_t channels = 1; channels <= kMaxChannels; ++channels) {
    LevelMeter meter(channels, 8000);
    std::vector<float> frames(size_t{800} * channels);
    uint32_t noise = channels;
    for (float& sample : frames) {
      noise = noise * 1664525 + 1013904223;
      sample = static_cast<float>(static_cast<int32_t>(noise)) * 0x1p-31f;
    }
    for (size_t at = 0, count = 1; at < 800; at += count, count = count % 97 + 5) {
      meter.process(&frames[at * channels], std::min(count, 800 - at));
    }
    const LevelMeter::Snapshot level = meter.snapshot();
    for (uint32_t channel = 0; channel < channels; ++channel) {
      float peak = 0;
      double energy = 0;
      for (size_t i = 0; i < 800; ++i) {
        const float size = std::fabs(frames[i * channels + channel]);
        peak = std::max(peak, size);
        energy += static_cast<double>(size) * static_cast<double>(size);
      }
      CHECK(level.channel[channel].peak == peak);
      CHECK_NEAR(level.channel[channel].rms, std::sqrt(energy / 800), 1e-5);
    }
  }
}

TEST("what is older than 100 ms is forgotten, also by hours of silence at once") {
  LevelMeter meter(1, 48000);
  const std::vector<float> loud(4800, 0.5f);
  meter.process(loud.data(), 4800);
  meter.silence(2400);
  CHECK(meter.snapshot().overall.peak == 0.5f);
  CHECK_NEAR(meter.snapshot().overall.rms, 0.5 * std::sqrt(0.5), 0.1);
  meter.silence(3600);
  CHECK(meter.snapshot().overall.peak == 0 && meter.snapshot().overall.rms == 0);
  meter.process(loud.data(), 4800);
  meter.silence(size_t{48000} * 3600 * 10);
  CHECK(meter.snapshot().overall.peak == 0);
}

TEST("the first level is there after 25 ms; reset forgets it") {
  LevelMeter meter(1, 44100);
  const std::vector<float> loud(1102, 0.5f);
  meter.process(loud.data(), 1101);
  CHECK(meter.snapshot().overall.peak == 0);
  meter.process(loud.data(), 1);
  CHECK(meter.snapshot().overall.rms == 0.5f);
  meter.reset();
  CHECK(meter.snapshot().overall.peak == 0);
}

TEST("NaN and infinity count as silence; the largest float does not overflow") {
  LevelMeter meter(1, 8000);
  std::vector<float> samples(800, 0.0f);
  samples[1] = std::numeric_limits<float>::quiet_NaN();
  samples[2] = std::numeric_limits<float>::infinity();
  samples[3] = 0.5f;
  meter.process(samples.data(), samples.size());
  CHECK(meter.snapshot().overall.peak == 0.5f);
  samples.assign(800, std::numeric_limits<float>::max());
  meter.process(samples.data(), samples.size());
  CHECK(std::isfinite(meter.snapshot().overall.rms) && meter.snapshot().overall.rms > 1e38f);
}

// ThreadSanitizer's: a reader beside the audio thread. A constant level has a peak that equals its
// RMS: a torn pair would show.
TEST("a snapshot is never torn") {
  LevelMeter meter(1, 8000);
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done.load()) {
      const Level level = meter.snapshot().channel[0];
      CHECK(level.peak == level.rms);
    }
  });
  for (int i = 0; i < 2000; ++i) {
    meter.reset();
    const std::vector<float> block(200, static_cast<float>(i % 16) / 16);
    meter.process(block.data(), block.size());
  }
  done = true;
  reader.join();
}
