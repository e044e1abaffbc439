// One step of processing. The engine calls it for each packet, JavaScript for each write.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

namespace patchcord {

// The most that a filter gets at a time; scratch buffers have this size.
constexpr size_t kFilterBlock = 1024;

// Audio is interleaved f32. Output frame k is the signal at input frame k * in_rate / out_rate. The
// output is not delayed, but the filter may hold some input back, which comes out when as many
// zeros follow. The same input gives the same bytes however it is cut into calls. Any thread, one
// at a time; nothing but constructors allocates.
class Filter {
 public:
  struct Shape {
    uint32_t rate;
    uint32_t channels;
  };
  struct Skip {
    uint64_t in_frames;
    uint64_t out_frames;
  };

  // `burst`: how many frames more than the input may come out at once, for a filter that works in
  // blocks.
  Filter(Shape in, Shape out, size_t burst = 0) : in_(in), out_(out), burst_(burst) {}
  virtual ~Filter() = default;

  const Shape& in() const noexcept { return in_; }
  const Shape& out() const noexcept { return out_; }

  // Takes up to kFilterBlock frames; `in` may be null, which means zeros. `out` has room for
  // most_out(frames). Returns the number of frames made.
  virtual size_t process(const float* in, size_t frames, float* out) noexcept = 0;

  // Input frames that are held back, and come out when as many zeros follow.
  virtual size_t held_frames() const noexcept = 0;

  // Takes as many of `in_frames` zeros as it can in constant time. Its state is then as after
  // processing them, and the output for them is silence. It takes none while earlier sound can
  // still be heard.
  virtual Skip skip_silence(uint64_t in_frames) noexcept = 0;

  size_t most_out(size_t frames) const noexcept {
    const uint64_t made = static_cast<uint64_t>(frames) * out_.rate / in_.rate;
    return static_cast<size_t>(made) + 2 + burst_;
  }

 private:
  const Shape in_, out_;
  const size_t burst_;
};

// An effect as a filter: it drops the frames that the effect's delay puts at the beginning. An
// effect has
// - process(frames, count), in place;
// - latency_frames();
// - skip_silence(count): brings its state in constant time to where processing that many zeros
//   would, or returns false and does nothing, because earlier sound could still be heard or shown.
template <class Effect>
class EffectFilter final : public Filter {
 public:
  // Other threads may share the effect, to set and read it while it runs.
  EffectFilter(Shape shape, std::shared_ptr<Effect> effect)
      : Filter(shape, shape), effect_(std::move(effect)), to_drop_(effect_->latency_frames()) {}

  size_t process(const float* in, size_t frames, float* out) noexcept override {
    const size_t channels = this->in().channels;
    if (in != nullptr) {
      std::copy_n(in, frames * channels, out);
    } else {
      std::fill_n(out, frames * channels, 0.0f);
    }
    effect_->process(out, frames);
    const size_t dropped = std::min(to_drop_, frames);
    to_drop_ -= dropped;
    if (dropped > 0) {
      std::memmove(out, out + dropped * channels, (frames - dropped) * channels * sizeof(float));
    }
    return frames - dropped;
  }

  size_t held_frames() const noexcept override { return effect_->latency_frames() - to_drop_; }

  Skip skip_silence(uint64_t in_frames) noexcept override {
    if (to_drop_ > 0 || !effect_->skip_silence(in_frames)) return {0, 0};
    return {in_frames, in_frames};
  }

 private:
  const std::shared_ptr<Effect> effect_;
  size_t to_drop_;
};

}  // namespace patchcord
