#include "../../src/core/signal/loudness_normalizer.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <limits>
#include <thread>

#include "allocations.h"
#include "check.h"
#include "random_signal.h"
#include "sine_fit.h"

using namespace patchcord;

namespace {

constexpr uint32_t kRate = 48000;

double number(float value) { return static_cast<double>(value); }

// 10 ms after 10 ms through a normalizer, stereo.
struct Scene {
  explicit Scene(double max_gain_db = kMaxNormalizerGainDb)
      : normalizer(kRate, 2, kSpeechLufs, max_gain_db) {}

  // `sample(i)`: of both channels, at frame i of the scene. `look` sees each 10 ms.
  void play(double seconds, const std::function<double(uint64_t)>& sample,
            const std::function<void()>& look = nullptr) {
    const auto end = frame + static_cast<uint64_t>(seconds * kRate);
    while (frame < end) {
      block.clear();
      for (size_t i = 0; i < kRate / 100; ++i, ++frame) {
        block.insert(block.end(), 2, static_cast<float>(sample(frame)));
      }
      normalizer.process(block.data(), block.size() / 2);
      out.process(block.data(), block.size() / 2);
      for (const float value : block) highest = std::max(highest, std::fabs(value));
      if (look) look();
    }
  }

  double gain_db() const { return number(normalizer.gain_db()); }

  LoudnessNormalizer normalizer;
  LoudnessMeter out{kRate, 2};
  std::vector<float> block;
  float highest = 0;
  uint64_t frame = 0;
};

// A stereo tone of so many LUFS.
std::function<double(uint64_t)> tone(double lufs) {
  return [level = std::pow(10, lufs / 20)](uint64_t frame) {
    return level * std::sin(2 * kPi * static_cast<double>(frame % 48) / 48);
  };
}

// Noise of about so many LUFS, as steady as a fan's.
std::function<double(uint64_t)> noise(double lufs, uint64_t seed = 1) {
  return [level = std::pow(10, (lufs - 1.5) / 20), random = RandomSignal(seed)](uint64_t) mutable {
    return random.real(-level, level);
  };
}

// Two seconds of syllables, each its own level within 15 dB, and half a second of pause.
std::function<double(uint64_t)> voice(double lufs, uint64_t seed = 1) {
  return [sound = noise(lufs + 5, seed), random = RandomSignal(seed), left = 0, level = 0.0,
          reached = 0.0](uint64_t frame) mutable {
    if (left-- == 0) {
      left = static_cast<int>(random.whole(kRate / 12, kRate / 4));
      level = std::pow(10, random.real(-15, 0) / 20);
    }
    const bool pause = frame % (5 * kRate / 2) >= 2 * kRate;
    reached += 0.001 * ((pause ? 0 : level) - reached);
    return reached * sound(frame);
  };
}

std::function<double(uint64_t)> both(std::function<double(uint64_t)> a,
                                     std::function<double(uint64_t)> b) {
  return [a, b](uint64_t frame) { return a(frame) + b(frame); };
}

double silence(uint64_t) { return 0; }

// Seconds until the gain is within 1 dB of where it is at the end.
double settled_after(double seconds, const std::function<double(uint64_t)>& sample, Scene* scene) {
  std::vector<double> gains;
  scene->play(seconds, sample, [&] { gains.push_back(scene->gain_db()); });
  size_t at = gains.size();
  while (at > 0 && std::fabs(gains[at - 1] - gains.back()) <= 1) --at;
  return static_cast<double>(at) / 100;
}

}  // namespace

LONG_TEST("a tone is at the target within 1.5 s of its beginning, however quiet or loud") {
  for (const double lufs : {-37.0, -30.0, -18.0, -10.0, -3.5}) {
    Scene scene;
    const double seconds = settled_after(6, tone(lufs), &scene);
    CHECK(seconds <= 1.5);
    CHECK_NEAR(scene.gain_db(), kSpeechLufs - lufs, 0.1);
    CHECK_NEAR(number(scene.out.snapshot().momentary), kSpeechLufs, 0.1);
    CHECK(scene.highest <= kLimiterCeiling);
    std::printf("  %.1f LUFS: within 1 dB after %.2f s\n", lufs, seconds);
  }
}

LONG_TEST("a voice comes out at the target, 6 s after its beginning or a change of level") {
  Scene scene;
  for (const double lufs : {-28.0, -14.0, -32.0}) {
    scene.play(lufs < -30 ? 16 : 6, voice(lufs));
    LoudnessMeter after(kRate, 2);
    double lowest = 1000, highest = -1000;
    scene.play(10, voice(lufs), [&] {
      after.process(scene.block.data(), scene.block.size() / 2);
      lowest = std::min(lowest, scene.gain_db());
      highest = std::max(highest, scene.gain_db());
    });
    const double integrated = number(after.snapshot().integrated);
    CHECK_NEAR(integrated, kSpeechLufs, 1.5);
    CHECK(highest - lowest < 4);
    std::printf("  %.0f LUFS in, %.1f out, gain %.1f to %.1f dB\n", lufs, integrated, lowest,
                highest);
  }
}

LONG_TEST("down faster than up") {
  Scene scene;
  scene.play(8, tone(-20));
  const double down = settled_after(10, tone(-11), &scene);
  const double up = settled_after(30, tone(-20), &scene);
  CHECK(down < 6);
  CHECK(up > 1.5 * down && up < 12);
  std::printf("  9 dB down within %.2f s, up within %.2f s\n", down, up);
}

LONG_TEST("silence and noise below the gate are not raised") {
  for (const auto& sound : {std::function<double(uint64_t)>(silence), noise(-52), tone(-49)}) {
    Scene scene;
    scene.play(10, sound);
    CHECK(scene.gain_db() == 0);
  }
}

LONG_TEST("in a pause the gain stays where it is, whatever noise there is: nothing pumps") {
  Scene scene;
  scene.play(10, both(voice(-24), noise(-46, 2)));
  scene.play(0.6, noise(-46, 3));
  const double gain = scene.gain_db();
  CHECK(gain > 3);
  scene.play(20, noise(-46, 4), [&] { CHECK(scene.gain_db() == gain); });
  scene.play(20, silence, [&] { CHECK(scene.gain_db() == gain); });
}

LONG_TEST("steady noise before the first word is not raised, however long; the word is") {
  Scene scene;
  scene.play(20, noise(-42), [&] { CHECK(scene.gain_db() == 0); });
  scene.play(3, voice(-20));
  CHECK_NEAR(scene.gain_db(), 2, 2);
}

LONG_TEST("louder noise before the first word is forgotten as soon as the word is there") {
  Scene scene;
  scene.play(6, noise(-36));
  const double raised = scene.gain_db();
  scene.play(4, voice(-20));
  CHECK(raised > 15);
  CHECK_NEAR(scene.gain_db(), 2, 2);
}

LONG_TEST("a voice as quiet as such noise is raised within 8 s") {
  Scene scene;
  scene.play(8, voice(-42));
  std::printf("  by %.1f dB\n", scene.gain_db());
  CHECK(scene.gain_db() > 15);
}

LONG_TEST("the gain never exceeds maxGainDb, nor the output the limiter's ceiling") {
  for (const double most : {0.0, 6.0, 12.0}) {
    Scene scene(most);
    scene.play(5, tone(kSpeechLufs - most - 5), [&] { CHECK(scene.gain_db() <= most); });
    CHECK_NEAR(scene.gain_db(), most, 0.01);
    scene.play(1, tone(6), [&] { CHECK(scene.gain_db() <= most); });
    CHECK(scene.highest <= kLimiterCeiling);
  }
}

TEST("at the target nothing changes but for the latency, bit for bit") {
  Scene scene;
  const size_t delay = scene.normalizer.latency_frames();
  CHECK(delay == Limiter(kRate, 2, kLimiterCeiling, LimiterPeaks::kTrue).latency_frames());
  const std::vector<float> in = RandomSignal(5).samples(2 * kRate / 4, 0.002f);
  std::vector<float> out = in;
  scene.normalizer.process(out.data(), out.size() / 2);
  CHECK(std::equal(in.begin(), in.end() - static_cast<long>(2 * delay),
                   out.begin() + static_cast<long>(2 * delay)));
}

TEST("NaN, infinity and denormals count as silence and leave no trace") {
  RandomSignal random(6);
  std::vector<float> spoilt = random.samples(2 * 3 * kRate, 0.05f), clean = spoilt;
  for (size_t i = 0; i < spoilt.size(); i += 5) {
    const float values[] = {
        std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::denorm_min()};
    spoilt[i] = values[i % 4];
    clean[i] = 0;
  }
  LoudnessNormalizer a(kRate, 2), b(kRate, 2);
  a.process(spoilt.data(), spoilt.size() / 2);
  b.process(clean.data(), clean.size() / 2);
  CHECK(a.gain_db() > 1 && a.gain_db() == b.gain_db());
  CHECK(spoilt == clean);
}

LONG_TEST("the loudest floats there are turn it down, and 15 s of a voice undo it") {
  Scene scene;
  scene.play(10, voice(-24));
  const double before = scene.gain_db();
  scene.play(5, [](uint64_t frame) { return frame % 3 == 0 ? 3e38 : -3e38; });
  CHECK(scene.gain_db() < -20 && scene.highest <= kLimiterCeiling);
  scene.play(15, voice(-24));
  CHECK_NEAR(scene.gain_db(), before, 2);
}

TEST("reset forgets everything") {
  Scene used, fresh;
  used.play(3, voice(-30));
  used.normalizer.reset();
  used.frame = 0;
  CHECK(used.normalizer.gain_db() == 0);
  used.play(3, voice(-25, 2));
  fresh.play(3, voice(-25, 2));
  CHECK(used.block == fresh.block && used.gain_db() == fresh.gain_db());
}

TEST("fuzz: any rate, any channels, any cut, any bits; nothing is allocated") {
  RandomSignal random(7);
  for (int round = 0; round < 16; ++round) {
    const uint32_t rate = random.whole(kMinSampleRate, round % 4 == 0 ? kMaxSampleRate : 50000);
    const uint32_t channels = random.whole(1, round % 4 == 0 ? 2 : kMaxChannels);
    const size_t frames = random.whole(1, rate / 2);
    std::vector<float> whole = random.samples(frames * channels, 0.1f);
    for (float& sample : whole) {
      const auto bits = static_cast<uint32_t>(random.bits() >> 32);
      if (round % 3 != 0 && random.whole(0, 999) == 0) std::memcpy(&sample, &bits, sizeof bits);
    }
    std::vector<float> cut = whole;
    LoudnessNormalizer a(rate, channels), b(rate, channels);
    const long before = allocations;
    a.process(whole.data(), frames);
    for (size_t done = 0; done < frames;) {
      const size_t count = std::min<size_t>(frames - done, random.whole(0, 900));
      b.process(cut.data() + done * channels, count);
      done += count;
    }
    CHECK(allocations == before);
    CHECK(whole == cut && a.gain_db() == b.gain_db());
    for (const float sample : whole) CHECK(std::fabs(sample) <= kLimiterCeiling);
  }
}

// ThreadSanitizer's.
TEST("gain and loudness can be read beside the audio thread") {
  LoudnessNormalizer normalizer(8000, 1);
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done.load()) {
      CHECK(normalizer.gain_db() >= 0 && normalizer.gain_db() <= 20);
      const Loudness loudness = normalizer.loudness();
      CHECK(loudness.max_momentary >= loudness.momentary);
    }
  });
  std::vector<float> in = RandomSignal(8).samples(8000, 0.05f);
  for (int i = 0; i < 20; ++i) {
    std::vector<float> block = in;
    normalizer.process(block.data(), block.size());
  }
  done = true;
  reader.join();
  CHECK(normalizer.gain_db() > 10);
}
