#include "resampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "resampler_bank.h"
#include "resampler_cubic.h"
#include "resampler_design.h"
#include "resampler_half_band.h"
#include "sane_sample.h"

namespace patchcord {
namespace {

constexpr size_t kBlock = 1024;  // frames that go through the steps at a time
constexpr double kMaxDeviation = 0.01;
// A variable ratio counts phases in about this many parts of a frame: 2^-32 of a ratio is 0.0002
// ppm.
constexpr uint64_t kVariablePhases = uint64_t{1} << 32;

}  // namespace

Resampler::Resampler(uint32_t in_rate, uint32_t out_rate, uint32_t channels,
                     ResamplerQuality quality, bool variable)
    : channels_(channels), variable_(variable) {
  const ResamplerRatio ratio(in_rate, out_rate);
  // The phases are finer by a whole factor, so that the nominal ratio stays exact.
  const uint64_t finer = variable ? kVariablePhases / ratio.out : 1;
  position_.phases = ratio.out * finer;
  nominal_step_ = ratio.in * finer;
  if (in_rate != out_rate || variable) {
    design_ = ResamplerDesign::shared(ratio, quality, variable);
    build();
  }
  reset();
}

Resampler::~Resampler() = default;

void Resampler::build() {
  // The most frames that each step gets at a time, and the number that the last one makes of them.
  std::vector<size_t> blocks{kBlock};
  const auto add_block = [&](double in_per_out) {
    blocks.push_back(static_cast<size_t>(static_cast<double>(blocks.back()) / in_per_out) + 2);
  };
  for (size_t n = 0; n < design_->halvings.size(); ++n) add_block(2);
  add_block(design_->sharp.in_per_out());
  for (size_t n = 0; n < design_->doublings.size(); ++n) add_block(0.5);

  // From the last step to the first, because each needs input from before frame 0 from the step
  // before it.
  size_t ahead = 0;
  const auto add = [&](std::unique_ptr<ResamplerStage> stage) {
    const double in_per_out =
        static_cast<double>(stage->period_in()) / static_cast<double>(stage->period_out());
    latency_ = stage->latency_in() +
               static_cast<size_t>(std::ceil(static_cast<double>(latency_) * in_per_out));
    ahead = stage->zeros_in();
    steps_.push_back({std::move(stage), std::vector<float>(blocks.back() * channels_)});
    blocks.pop_back();
  };
  const auto block = [&] { return blocks[blocks.size() - 2]; };
  const auto& [sharp, bank, cubic, halvings, doublings] = *design_;
  for (auto half = doublings.rbegin(); half != doublings.rend(); ++half) {
    add(std::make_unique<DoublingStage>(*half, channels_, ahead, block()));
  }
  if (bank) {
    add(std::make_unique<BankStage>(sharp, *bank, channels_, ahead, block()));
  } else {
    auto stage = std::make_unique<CubicStage>(sharp, *cubic, channels_, ahead, block());
    if (variable_) moving_ = stage.get();
    add(std::move(stage));
  }
  for (auto half = halvings.rbegin(); half != halvings.rend(); ++half) {
    add(std::make_unique<HalvingStage>(*half, channels_, ahead, block()));
  }
  std::reverse(steps_.begin(), steps_.end());
  steps_.back().out = {};  // the caller has room for it

  for (const Step& step : steps_) {
    const uint64_t in = step.stage->period_in();
    const uint64_t both = std::lcm(period_out_, in);
    period_in_ *= both / period_out_;
    period_out_ = both / in * step.stage->period_out();
  }
}

void Resampler::reset() noexcept {
  position_.frame = 0;
  position_.phase = 0;
  taken_ = 0;
  set_step(nominal_step_);
  if (steps_.empty()) return;
  for (Step& step : steps_) step.stage->reset();
  for (size_t left = steps_.front().stage->zeros_in(); left > 0;) {
    const size_t frames = std::min(left, kBlock);
    take(nullptr, frames);
    left -= frames;
  }
}

void Resampler::set_step(uint64_t step) noexcept {
  position_.set_step(step);
  if (moving_ != nullptr) moving_->set_step(position_.phases, step);
}

void Resampler::set_ratio(double in_per_out_relative_to_nominal) noexcept {
  if (!variable_ || std::isnan(in_per_out_relative_to_nominal)) return;
  const double ratio =
      std::clamp(in_per_out_relative_to_nominal, 1 - kMaxDeviation, 1 + kMaxDeviation);
  // Only the deviation goes through floating point, so a ratio of 1 gives the nominal step exactly.
  const double deviation = std::round(static_cast<double>(nominal_step_) * (ratio - 1));
  set_step(nominal_step_ + static_cast<uint64_t>(static_cast<int64_t>(deviation)));
}

size_t Resampler::needed_for(size_t out_frames) const noexcept {
  if (out_frames == 0) return 0;
  const uint64_t end = position_.frame_after(out_frames - 1) + latency_ + 1;
  return end > taken_ ? static_cast<size_t>(end - taken_) : 0;
}

double Resampler::position() const noexcept {
  const double whole = static_cast<double>(position_.frame) - static_cast<double>(taken_);
  return whole + static_cast<double>(position_.phase) / static_cast<double>(position_.phases);
}

// Pushes input through the steps, up to the history of the last one.
void Resampler::take(const float* in, size_t frames) noexcept {
  for (Step& step : steps_) {
    step.stage->take(in, frames);
    if (&step == &steps_.back()) return;
    frames = step.stage->ready_frames();
    step.stage->make(step.out.data(), frames);
    in = step.out.data();
  }
}

Resampler::Progress Resampler::process(const float* in, size_t in_frames, float* out,
                                       size_t out_frames) noexcept {
  if (steps_.empty()) {
    const size_t frames = std::min(in_frames, out_frames);
    for (size_t i = 0; i < frames * channels_; ++i) out[i] = in ? filter_sample(in[i]) : 0.0f;
    return {frames, frames};
  }
  Progress progress{0, 0};
  for (;;) {
    const size_t end = taken_ - std::min(taken_, latency_);
    const size_t ready = position_.frames_before(end, out_frames - progress.produced);
    steps_.back().stage->make(out + progress.produced * channels_, ready);
    position_.advance(ready);
    progress.produced += ready;
    const size_t wanted =
        std::min(needed_for(out_frames - progress.produced), in_frames - progress.consumed);
    if (wanted == 0) break;
    const size_t frames = std::min(wanted, kBlock);
    take(in != nullptr ? in + progress.consumed * channels_ : nullptr, frames);
    taken_ += frames;
    progress.consumed += frames;
  }
  const size_t behind = std::min(position_.frame, taken_);
  position_.frame -= behind;
  taken_ -= behind;
  return progress;
}

Resampler::Skip Resampler::skip_silence(uint64_t in_frames) noexcept {
  const auto silent = [](const Step& step) { return step.stage->silent(); };
  if (variable_ || !std::all_of(steps_.begin(), steps_.end(), silent)) return {0, 0};
  const uint64_t periods = in_frames / period_in_;
  return {periods * period_in_, periods * period_out_};
}

}  // namespace patchcord
