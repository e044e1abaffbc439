#include "echo_filter.h"

#include <algorithm>
#include <cstring>

#include "sane_sample.h"

namespace patchcord {
namespace {

EchoCanceller::Config at_rate(EchoCanceller::Config config, uint32_t rate) {
  config.sample_rate = rate;
  return config;
}

// The most that a block, a delay of one block and both resamplers may release at once.
size_t burst(uint32_t rate) { return rate / 50; }

}  // namespace

EchoFilter::EchoFilter(const Config& config)
    : Filter({config.sample_rate, config.channels + config.reference_channels},
             {config.sample_rate, config.channels}, burst(config.sample_rate)),
      divisor_(divisor(config.sample_rate)),
      channels_(config.channels),
      references_(config.reference_channels),
      canceller_(std::make_shared<EchoCanceller>(at_rate(config, config.sample_rate / divisor_))),
      block_(canceller_->block_frames()),
      filling_((channels_ + references_) * block_),
      made_(channels_ * block_),
      before_(channels_ * block_),
      to_drop_(canceller_->latency_frames()) {
  for (uint32_t c = 0; c < channels_ + references_; ++c) {
    in_lines_.push_back(&filling_[c * block_]);
  }
  for (uint32_t c = 0; c < channels_; ++c) out_lines_.push_back(&made_[c * block_]);
  if (divisor_ == 1) return;
  const uint32_t rate = config.sample_rate;
  const uint32_t slow_rate = rate / divisor_;
  constexpr ResamplerQuality kQuality = ResamplerQuality::kMedium;
  down_ = std::make_unique<Resampler>(rate, slow_rate, channels_ + references_, kQuality, false);
  up_ = std::make_unique<Resampler>(slow_rate, rate, channels_, kQuality, false);
  const size_t slow_frames = kFilterBlock / divisor_ + 2;
  slow_.resize(slow_frames * (channels_ + references_));
  changed_.resize((slow_frames + block_) * channels_);
  const size_t most = resampling_frames() + 2 * block_ * divisor_ + 2 * kFilterBlock;
  waiting_.resize(most * channels_);
}

size_t EchoFilter::process(const float* in, size_t frames, float* out) noexcept {
  const size_t samples = frames * (channels_ + references_);
  began_ = began_ || frames > 0;
  const bool silent =
      in == nullptr || std::all_of(in, in + samples, [](float sample) { return sample == 0; });
  quiet_ = silent ? quiet_ + frames : 0;
  return divisor_ == 1 ? cancel(in, frames, out, false) : process_fast(in, frames, out);
}

// At the canceller's own rate. If `difference` is set, the output is what the canceller changed
// instead of the cancelled sound.
size_t EchoFilter::cancel(const float* in, size_t frames, float* out, bool difference) noexcept {
  const size_t width = channels_ + references_;
  size_t given = 0;
  for (size_t done = 0; done < frames;) {
    const size_t part = std::min(block_ - filled_, frames - done);
    for (size_t c = 0; c < width; ++c) {
      float* const line = in_lines_[c] + filled_;
      for (size_t i = 0; i < part; ++i) {
        line[i] = in == nullptr ? 0 : filter_sample(in[(done + i) * width + c]);
      }
    }
    done += part;
    filled_ += part;
    if (filled_ < block_) break;
    filled_ = 0;
    run_block(difference);
    const size_t dropped = std::min(to_drop_, block_);
    to_drop_ -= dropped;
    for (size_t i = dropped; i < block_; ++i, ++given) {
      for (size_t c = 0; c < channels_; ++c) out[given * channels_ + c] = made_[c * block_ + i];
    }
  }
  return given;
}

void EchoFilter::run_block(bool difference) noexcept {
  const bool late = canceller_->latency_frames() > 0;
  if (difference && !late) std::copy_n(filling_.begin(), before_.size(), before_.begin());
  canceller_->process(in_lines_.data(), in_lines_.data() + channels_, out_lines_.data());
  if (!difference) return;
  for (size_t i = 0; i < made_.size(); ++i) made_[i] -= before_[i];
  if (late) std::copy_n(filling_.begin(), before_.size(), before_.begin());
}

size_t EchoFilter::process_fast(const float* in, size_t frames, float* out) noexcept {
  const size_t width = channels_ + references_;
  float* const kept = &waiting_[waiting_frames_ * channels_];
  for (size_t i = 0; i < frames; ++i) {
    for (size_t c = 0; c < channels_; ++c) {
      kept[i * channels_ + c] = in == nullptr ? 0 : filter_sample(in[i * width + c]);
    }
  }
  waiting_frames_ += frames;
  const auto slow = down_->process(in, frames, slow_.data(), slow_.size() / width);
  const size_t changed = cancel(slow_.data(), slow.produced, changed_.data(), true);
  const auto fast = up_->process(changed_.data(), changed, out, most_out(frames));
  const size_t samples = fast.produced * channels_;
  for (size_t i = 0; i < samples; ++i) out[i] += waiting_[i];
  waiting_frames_ -= fast.produced;
  std::memmove(waiting_.data(), &waiting_[samples], waiting_frames_ * channels_ * sizeof(float));
  return fast.produced;
}

size_t EchoFilter::held_frames() const noexcept {
  if (!began_) return 0;
  const size_t late = canceller_->latency_frames();
  if (!down_) return late + (block_ - filled_) % block_;
  return (late + block_) * divisor_ + resampling_frames();
}

size_t EchoFilter::resampling_frames() const noexcept {
  if (!down_) return 0;
  return down_->latency_in() + (up_->latency_in() + 2) * divisor_;
}

// After this many zeros neither the canceller nor the resamplers contain any sound. From then on
// blocks of zeros do not change the canceller.
bool EchoFilter::forgot() const noexcept {
  const uint64_t remembered = 2 * resampling_frames() + 4 * block_ * divisor_;
  return canceller_->idle() && quiet_ > remembered;
}

EchoFilter::Skip EchoFilter::skip_silence(uint64_t in_frames) noexcept {
  if (!forgot()) return {0, 0};
  const uint64_t whole = in_frames - in_frames % (block_ * divisor_);
  return {whole, whole};
}

}  // namespace patchcord
