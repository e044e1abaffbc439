// Sample-rate conversion by polyphase filters of our own; where the ratio is large, behind halvings
// of the rate or before doublings, which take fewer multiplications (ResamplerDesign). One class,
// two drivers: the graph on an audio thread, JavaScript's Transform on the JS thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "resampler_position.h"
#include "resampler_stage.h"

namespace patchcord {

class CubicStage;
struct ResamplerDesign;

// Flat (within 0.001 dB) up to `pass` of half the lower rate, nothing above all of it: `stop`, as
// measured, is how far down what would fold is. Latency is the price.
//             fixed: pass, stop        variable: pass, stop
//   kLow      .800   -100 dB           .750                     -100 dB
//   kMedium   .875   -124 dB           .833 (20 kHz at 48 kHz)  -122 dB
//   kHigh     .913   -137 dB           .833                     -137 dB
//   kBest     .950   -137 dB           .907 (20 kHz at 44.1)    -137 dB
enum class ResamplerQuality { kLow, kMedium, kHigh, kBest };

// Interleaved f32. Any thread, one at a time; nothing but the constructor allocates. Samples that
// are not finite (or beyond 1e18, which no sum of them would be) count as 0, so that nothing
// poisons the filter. The same input gives the same bytes however it is cut into calls.
class Resampler {
 public:
  // Rates within kMinSampleRate..kMaxSampleRate, channels within 1..kMaxChannels.
  // A fixed ratio is exact for ever: output frame k is the signal at k * in / out. `variable` lets
  // set_ratio move it within 1 % of nominal. Equal rates, fixed: bit for bit, without latency.
  Resampler(uint32_t in_rate, uint32_t out_rate, uint32_t channels, ResamplerQuality quality,
            bool variable);
  ~Resampler();
  Resampler(const Resampler&) = delete;
  Resampler& operator=(const Resampler&) = delete;

  struct Progress {
    size_t consumed;  // frames
    size_t produced;
  };
  // Consumes up to in_frames and produces up to out_frames, stopping when either is exhausted;
  // never consumes more than the frames it produced required. in == nullptr: zeros. There is no
  // head delay (the filter starts with zeros before frame 0), and the tail comes out by following
  // with zeros.
  Progress process(const float* in, size_t in_frames, float* out, size_t out_frames) noexcept;

  // 1 is nominal; above it input is consumed faster. Holds from the next output frame, without a
  // click. Clamped to 1 +- 0.01; ignored when fixed.
  void set_ratio(double in_per_out_relative_to_nominal) noexcept;

  // Input frames that must follow a position before its output is made: half the filter.
  size_t latency_in() const noexcept { return latency_; }

  // What process() will consume to make out_frames from here, if the ratio stays.
  size_t needed_for(size_t out_frames) const noexcept;

  struct Skip {
    uint64_t in_frames;
    uint64_t out_frames;
  };
  // For holes in the timeline, in constant time: skips the largest whole number of periods of the
  // filters that is at most in_frames of zeros; the output frames it returns are silence, the input
  // frames left over are the caller's to process. Skips nothing while the filter still remembers
  // sound (2 * latency_in() zeros make it forget), nor when variable.
  Skip skip_silence(uint64_t in_frames) noexcept;

  // Where the next output frame lies, in input frames (with a fraction) after the last consumed
  // one's end; negative: behind it.
  double position() const noexcept;

  void reset() noexcept;  // as new; the ratio back to nominal

 private:
  struct Step {
    std::unique_ptr<ResamplerStage> stage;
    std::vector<float> out;  // what it makes for the next one
  };
  void build();
  void set_step(uint64_t step) noexcept;
  void take(const float* in, size_t frames) noexcept;

  const uint32_t channels_;
  std::shared_ptr<const ResamplerDesign> design_;  // null when nothing is to be done
  std::vector<Step> steps_;
  CubicStage* moving_ = nullptr;  // of them, when variable
  const bool variable_;
  uint64_t nominal_step_;
  size_t latency_ = 0;
  uint64_t period_in_ = 1, period_out_ = 1;
  // Of the next output frame, counted as taken_ is: from a frame that moves on with both. What the
  // steps could make sooner than a single filter waits, so that nobody can tell them apart.
  ResamplerPosition position_;
  size_t taken_ = 0;
};

}  // namespace patchcord
