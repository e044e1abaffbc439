// Takes out of the residual the echo that the filter left: distortion, late reverberation, and
// parts of the path that are not learnt yet.
#pragma once

#include <vector>

#include "echo_coherence.h"
#include "echo_path.h"
#include "echo_reference.h"
#include "echo_shape.h"
#include "real_fft.h"

namespace patchcord {

// How much more than the estimated remaining echo is taken away.
enum class EchoSuppression : uint8_t { kOff, kModerate, kHigh };

// A Wiener gain for each bin by the decision-directed rule (Y. Ephraim, D. Malah, "Speech
// enhancement using a minimum mean-square error short-time spectral amplitude estimator", IEEE
// Trans. ASSP 32, 1984). Comfort noise replaces the sound that it takes away. The output is one
// block late. Audio thread; nothing but the constructor allocates.
class EchoSuppressor {
 public:
  EchoSuppressor(const EchoShape& shape, size_t bands, EchoSuppression strength);

  void reset() noexcept;  // forgets what it learnt of the path

  // Writes the block before the newest one of `analysis`. If there is no echo, the block keeps its
  // bits.
  void process(EchoCoherence& analysis, const EchoPath& path, const EchoReference& reference,
               RealFft& fft, float* out) noexcept;

  // The same for a microphone that has delivered nothing but zeros in both blocks.
  void silence(EchoCoherence& analysis, float* out) noexcept;

  const std::vector<float>& noise() const noexcept { return noise_; }  // power of the bins
  float near() const noexcept { return near_; }  // share of the sound that is not echo, 0 to 1

 private:
  bool find_residual(const EchoCoherence& analysis, const EchoPath& path,
                     const EchoReference& reference) noexcept;
  void find_late(const EchoPath& path, const EchoReference& reference) noexcept;
  void find_near(const EchoCoherence& analysis) noexcept;
  void find_gains(const EchoCoherence& analysis) noexcept;
  void follow_noise(const EchoCoherence& analysis) noexcept;
  void pass(const EchoCoherence& analysis, float* out) noexcept;
  void apply(EchoCoherence& analysis, RealFft& fft, float* out) noexcept;

  const EchoShape shape_;
  const EchoSuppression strength_;
  // for each band: the share of the echo that remains; the residual
  std::vector<float> leak_, power_;
  std::vector<float> held_;         // the estimate, held up so that it falls slowly
  std::vector<float> echo_;         // power of the remaining echo
  std::vector<float> gain_, kept_;  // for each bin: the gain; the power that it left last time
  std::vector<float> noise_, smooth_;
  std::vector<float> overlap_, samples_, cosines_;
  // The echo that comes later than the path is long.
  std::vector<float> late_, end_, part_power_;
  float decay_;
  size_t part_ = 0;
  int silent_blocks_ = 0;  // since the reference was last heard, up to kLateBlocks
  float near_ = 0;
  bool passes_ = true;
  uint32_t random_ = 1;
};

}  // namespace patchcord
