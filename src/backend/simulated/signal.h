// The sound at a simulated microphone or of a simulated program.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace patchcord {

// A pure function of the frame index: the same frames sound the same in whatever blocks they are
// asked for, and on every run. Immutable, so any thread may hold one.
class Signal {
 public:
  // Where in a block the sound goes: `frames` interleaved frames at `rate`, the first of which is
  // frame `position` on the device's counter and `origin` was that at which the signal was played.
  struct Block {
    float* samples;
    uint32_t frames;
    uint32_t channels;
    uint32_t rate;
    int64_t position;
    int64_t origin;
  };

  virtual ~Signal() = default;
  // Adds. Audio thread. False: there is nothing to play in this block.
  virtual bool add(const Block& block) const noexcept = 0;
};

using SignalPtr = std::shared_ptr<const Signal>;

constexpr int kAllChannels = -1;

// Sounds for ever, and is zero: a program that plays nothing but keeps its stream open.
SignalPtr silence();
// gain * sin(2 pi frequency n / rate + phase), n the device's own frame counter: two plays of the
// same tone join without a step. `frequency` in Hz of the device's clock, `phase` in radians.
SignalPtr tone(double frequency, double gain = 1.0, double phase = 0.0, int channel = kAllChannels);
// White, even in [-gain, gain), another in each channel; by the device's own frame counter.
SignalPtr noise(uint64_t seed, double gain = 1.0);
// Interleaved PCM at the device's rate, from the frame at which it is played. Its channel c sounds
// in channel c, a single one in all. Ends, unless looped.
SignalPtr sequence(std::vector<float> samples, uint32_t channels, bool loop = false);
SignalPtr sum(std::vector<SignalPtr> parts);
SignalPtr scaled(SignalPtr signal, float gain);

}  // namespace patchcord
