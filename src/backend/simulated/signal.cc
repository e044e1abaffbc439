#include "signal.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "../../core/time/clock.h"

namespace patchcord {
namespace {

constexpr double kTwoPi = 6.283185307179586476925;

class Silence final : public Signal {
 public:
  bool add(const Block&) const noexcept override { return true; }
};

class Tone final : public Signal {
 public:
  Tone(double frequency, double gain, double phase, int channel)
      : frequency_(frequency), gain_(gain), phase_(phase), channel_(channel) {}

  bool add(const Block& block) const noexcept override {
    const double step = kTwoPi * frequency_ / block.rate;
    const double step_sin = std::sin(step);
    const double step_cos = std::cos(step);
    // One sine for every kGrid frames, and rotations between them. The grid belongs to the counter,
    // not to the block, so that rounding does not depend on how the frames are cut into blocks.
    int64_t frame = block.position - (block.position & (kGrid - 1));
    float* out = block.samples;
    while (frame < block.position + block.frames) {
      const double angle =
          std::fmod(frequency_ * static_cast<double>(frame), block.rate) / block.rate * kTwoPi +
          phase_;
      double value = std::sin(angle);
      double quadrature = std::cos(angle);
      const int64_t end = std::min(frame + kGrid, block.position + block.frames);
      for (; frame < end; ++frame) {
        if (frame >= block.position) {
          put(out, block.channels, static_cast<float>(gain_ * value));
          out += block.channels;
        }
        const double turned = value * step_cos + quadrature * step_sin;
        quadrature = quadrature * step_cos - value * step_sin;
        value = turned;
      }
    }
    return true;
  }

 private:
  static constexpr int64_t kGrid = 64;

  void put(float* frame, uint32_t channels, float value) const noexcept {
    for (uint32_t c = 0; c < channels; ++c) {
      if (channel_ == kAllChannels || static_cast<uint32_t>(channel_) == c) frame[c] += value;
    }
  }

  const double frequency_;
  const double gain_;
  const double phase_;
  const int channel_;
};

class Noise final : public Signal {
 public:
  Noise(uint64_t seed, double gain) : seed_(seed), gain_(gain) {}

  bool add(const Block& block) const noexcept override {
    const size_t samples = static_cast<size_t>(block.frames) * block.channels;
    const uint64_t first = static_cast<uint64_t>(block.position) * block.channels;
    for (size_t i = 0; i < samples; ++i) {
      block.samples[i] += static_cast<float>(gain_ * value(first + i));
    }
    return true;
  }

 private:
  // A mixing function instead of a generator: the value depends only on the index.
  double value(uint64_t index) const noexcept {
    uint64_t z = (index + 1) * 0x9e3779b97f4a7c15u ^ seed_ * 0xd1342543de82ef95u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return static_cast<double>(static_cast<int64_t>(z)) * 0x1p-63;
  }

  const uint64_t seed_;
  const double gain_;
};

class Sequence final : public Signal {
 public:
  Sequence(std::vector<float> samples, uint32_t channels, bool loop)
      : samples_(std::move(samples)),
        channels_(std::max(channels, 1u)),
        frames_(static_cast<int64_t>(samples_.size() / channels_)),
        loop_(loop && frames_ > 0) {}

  bool add(const Block& block) const noexcept override {
    const int64_t first = block.position - block.origin;
    if (first + block.frames <= 0 || (!loop_ && first >= frames_)) return false;
    // A device without streams may add the beginning of the period later; that may be before the
    // play.
    for (uint32_t i = first < 0 ? static_cast<uint32_t>(-first) : 0; i < block.frames; ++i) {
      const int64_t frame = loop_ ? (first + i) % frames_ : first + i;
      if (frame >= frames_) break;
      const float* const in = &samples_[static_cast<size_t>(frame) * channels_];
      float* const out = block.samples + static_cast<size_t>(i) * block.channels;
      for (uint32_t c = 0; c < block.channels; ++c) {
        if (channels_ == 1) {
          out[c] += in[0];
        } else if (c < channels_) {
          out[c] += in[c];
        }
      }
    }
    return true;
  }

 private:
  const std::vector<float> samples_;
  const uint32_t channels_;
  const int64_t frames_;
  const bool loop_;
};

class Sum final : public Signal {
 public:
  explicit Sum(std::vector<SignalPtr> parts) : parts_(std::move(parts)) {}

  bool add(const Block& block) const noexcept override {
    bool any = false;
    for (const SignalPtr& part : parts_) any = part->add(block) || any;
    return any;
  }

 private:
  const std::vector<SignalPtr> parts_;
};

// A signal through a volume control.
class Scaled final : public Signal {
 public:
  Scaled(SignalPtr signal, float gain) : signal_(std::move(signal)), gain_(gain) {}

  // In pieces, because the block may have any length and no memory may be allocated.
  bool add(const Block& block) const noexcept override {
    std::array<float, 1024> piece;
    const uint32_t most = static_cast<uint32_t>(piece.size()) / block.channels;
    bool plays = false;
    for (uint32_t done = 0; done < block.frames;) {
      const uint32_t frames = std::min(most, block.frames - done);
      const size_t samples = static_cast<size_t>(frames) * block.channels;
      std::fill_n(piece.begin(), samples, 0.0f);
      plays |= signal_->add(
          {piece.data(), frames, block.channels, block.rate, block.position + done, block.origin});
      float* const out = block.samples + static_cast<size_t>(done) * block.channels;
      for (size_t i = 0; i < samples; ++i) out[i] += gain_ * piece[i];
      done += frames;
    }
    return plays;
  }

 private:
  const SignalPtr signal_;
  const float gain_;
};

}  // namespace

SignalPtr silence() { return std::make_shared<Silence>(); }

SignalPtr tone(double frequency, double gain, double phase, int channel) {
  return std::make_shared<Tone>(frequency, gain, phase, channel);
}

SignalPtr noise(uint64_t seed, double gain) { return std::make_shared<Noise>(seed, gain); }

SignalPtr sequence(std::vector<float> samples, uint32_t channels, bool loop) {
  return std::make_shared<Sequence>(std::move(samples), channels, loop);
}

SignalPtr sum(std::vector<SignalPtr> parts) { return std::make_shared<Sum>(std::move(parts)); }

SignalPtr scaled(SignalPtr signal, float gain) {
  return std::make_shared<Scaled>(std::move(signal), gain);
}

float peak_of(const Signal& signal, int64_t begun_ns, int64_t now) noexcept {
  constexpr uint32_t kRate = 48000, kFrames = kRate / 100, kChannels = 2;
  std::array<float, kFrames * kChannels> samples{};
  const int64_t position = (now - begun_ns) / (kNsPerSecond / kRate);
  signal.add({samples.data(), kFrames, kChannels, kRate, position, 0});
  float peak = 0;
  for (const float sample : samples) peak = std::max(peak, std::fabs(sample));
  return peak;
}

}  // namespace patchcord
