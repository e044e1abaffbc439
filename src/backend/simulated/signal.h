// The sound at a simulated microphone or of a simulated program.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace patchcord {

// A pure function of the frame index: the same frames have the same values in all blocks and in
// every run. Immutable, so any thread may use it.
class Signal {
 public:
  // The target of a signal: `frames` interleaved frames at `rate`. The first of them is frame
  // `position` on the device's counter; the signal was played at frame `origin`.
  struct Block {
    float* samples;
    uint32_t frames;
    uint32_t channels;
    uint32_t rate;
    int64_t position;
    int64_t origin;
  };

  virtual ~Signal() = default;
  // Adds the signal. Audio thread. Returns false if there is nothing to play in this block.
  virtual bool add(const Block& block) const noexcept = 0;
};

using SignalPtr = std::shared_ptr<const Signal>;

constexpr int kAllChannels = -1;

// Plays zeros without end: a program that plays nothing but keeps its stream open.
SignalPtr silence();
// gain * sin(2 pi frequency n / rate + phase), where n is the device's own frame counter: two plays
// of the same tone join without a step. `frequency` in Hz of the device's clock, `phase` in
// radians.
SignalPtr tone(double frequency, double gain = 1.0, double phase = 0.0, int channel = kAllChannels);
// White noise, evenly in [-gain, gain), different in each channel; by the device's own frame
// counter.
SignalPtr noise(uint64_t seed, double gain = 1.0);
// Interleaved PCM at the device's rate, from the frame at which it is played. Its channel c plays
// in channel c; a single channel plays in all. Ends, unless looped.
SignalPtr sequence(std::vector<float> samples, uint32_t channels, bool loop = false);
SignalPtr sum(std::vector<SignalPtr> parts);
SignalPtr scaled(SignalPtr signal, float gain);

// The highest sample within the next 10 ms of one that began at `begun_ns`: signals are known in
// advance.
float peak_of(const Signal& signal, int64_t begun_ns, int64_t now) noexcept;

}  // namespace patchcord
