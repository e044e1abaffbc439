// Sample-rate conversion by polyphase filters. For large ratios the polyphase filter is combined
// with halvings before it or doublings after it, which take fewer multiplications
// (ResamplerDesign). The graph uses this class on an audio thread, JavaScript's Transform on the JS
// thread.
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

// The response is flat (within 0.001 dB) up to `pass` times half the lower rate, and ends at half
// the lower rate. `stop`, as measured, is the level of what folds back. Better qualities have more
// latency.
//             fixed: pass, stop variable: pass, stop
//   kLow .800 -100 dB .750 -100 dB
//   kMedium .875 -124 dB .833 (20 kHz at 48 kHz) -122 dB
//   kHigh .913 -137 dB .833 -137 dB
//   kBest .950 -137 dB .907 (20 kHz at 44.1) -137 dB
enum class ResamplerQuality { kLow, kMedium, kHigh, kBest };

// Audio is interleaved f32. Any thread, one at a time; nothing but the constructor allocates.
// Samples that are not finite (or beyond 1e18, which no sum of signals reaches) count as 0, so that
// they do not poison the filter. The same input gives the same bytes however it is cut into calls.
class Resampler {
 public:
  // Rates within kMinSampleRate..kMaxSampleRate, channels within 1..kMaxChannels. A fixed ratio is
  // always exact: output frame k is the signal at k * in / out. With `variable`, set_ratio() moves
  // the ratio within 1 % of nominal. Equal rates and a fixed ratio: output equals input bit for
  // bit, without latency.
  Resampler(uint32_t in_rate, uint32_t out_rate, uint32_t channels, ResamplerQuality quality,
            bool variable);
  ~Resampler();
  Resampler(const Resampler&) = delete;
  Resampler& operator=(const Resampler&) = delete;

  struct Progress {
    size_t consumed;  // frames
    size_t produced;
  };
  // Consumes up to in_frames and produces up to out_frames, and stops when either is exhausted. It
  // never consumes more than the frames it produced required. in == nullptr means zeros. There is
  // no head delay (the filter starts with zeros before frame 0); the tail comes out when zeros
  // follow.
  Progress process(const float* in, size_t in_frames, float* out, size_t out_frames) noexcept;

  // 1 is nominal; above it, input is consumed faster. Takes effect at the next output frame,
  // without a click. Clamped to 1 +- 0.01; ignored if the ratio is fixed.
  void set_ratio(double in_per_out_relative_to_nominal) noexcept;

  // Input frames that must follow a position before its output is made: half the filter.
  size_t latency_in() const noexcept { return latency_; }

  // How much process() will consume to make out_frames from here, if the ratio stays.
  size_t needed_for(size_t out_frames) const noexcept;

  struct Skip {
    uint64_t in_frames;
    uint64_t out_frames;
  };
  // For gaps in the timeline, in constant time: skips the largest whole number of periods of the
  // filters within in_frames of zeros. The returned number of output frames are silence; the caller
  // processes the input frames left over. Skips nothing while the filter still contains sound (2 *
  // latency_in() zeros clear it), nor if the ratio is variable.
  Skip skip_silence(uint64_t in_frames) noexcept;

  // The position of the next output frame, in input frames (with a fraction) after the end of the
  // last consumed one; negative: before it.
  double position() const noexcept;

  void reset() noexcept;  // resets everything, the ratio to nominal

 private:
  struct Step {
    std::unique_ptr<ResamplerStage> stage;
    std::vector<float> out;  // output for the next step
  };
  void build();
  void set_step(uint64_t step) noexcept;
  void take(const float* in, size_t frames) noexcept;

  const uint32_t channels_;
  std::shared_ptr<const ResamplerDesign> design_;  // null if nothing needs to be done
  std::vector<Step> steps_;
  CubicStage* moving_ = nullptr;  // the variable step, one of them
  const bool variable_;
  uint64_t nominal_step_;
  size_t latency_ = 0;
  uint64_t period_in_ = 1, period_out_ = 1;
  // The position of the next output frame, counted as in taken_, from a frame that moves with both.
  // Output that the steps could make sooner than a single filter waits, so that both are used
  // alike.
  ResamplerPosition position_;
  size_t taken_ = 0;
};

}  // namespace patchcord
