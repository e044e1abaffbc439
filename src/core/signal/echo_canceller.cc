#include "echo_canceller.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace patchcord {
namespace {

constexpr float kSenseless = 1e8f;  // a block whose sum of squares is higher is not sound
constexpr float kClipped = 0.985f;
// A filter is doubted after it was wrong in this many blocks. After that it is not doubted again
// for kRestBlocks.
constexpr int kDoubtBlocks = 10, kRestBlocks = 200, kFirstRestBlocks = 300;
constexpr float kDoubtAt = 0.6f;
constexpr float kWrongAt = 0.5f;  // such blocks count kWrongBlocks times
constexpr int kWrongBlocks = 2;
constexpr float kMeanShare = 0.1f;  // share of the newest block in the mean powers: 50 ms
constexpr float kWorse = 1.1f;      // mean powers: the filter adds instead of taking away
constexpr float kMuchWorse = 4;     // for kWorstBlocks: it starts again
constexpr float kWorseBlock = 8;    // the powers of one block
constexpr int kWorstBlocks = 20;
// after this many blocks of zeros no echo can be heard any more
constexpr size_t kSilentBlocks = 2;
constexpr double kReportShare = 0.005, kLongShare = 0.001;  // a second, five seconds
constexpr double kConvergedRatio = 2, kExplainedRatio = 1.12;
constexpr float kNearTalks = 0.3f;
constexpr float kLeastSound = 1e-7f;  // mean square of a microphone in which an echo could be heard
constexpr float kBlockSeconds = 0.005f;
constexpr float kUselessSeconds = 1;

float power(const float* samples, size_t count) noexcept {
  float sum = 0;
  for (size_t i = 0; i < count; ++i) sum += samples[i] * samples[i];
  return sum;
}

}  // namespace

EchoCanceller::Channel::Channel(const EchoShape& shape, EchoSuppression suppression)
    : path(shape),
      memory(shape),
      analysis(shape),
      suppressor(shape, analysis.band_count(), suppression),
      microphone(shape.block),
      residual(shape.block),
      echo(shape.block) {}

EchoCanceller::EchoCanceller(const Config& config)
    : shape_(config.sample_rate, config.reference_channels, config.tail_seconds),
      suppression_(config.suppression),
      fft_(shape_.transform),
      reference_(shape_),
      silence_(shape_.block) {
  for (uint32_t c = 0; c < config.channels; ++c) {
    channels_.push_back(std::make_unique<Channel>(shape_, config.suppression));
    channels_.back()->rest_blocks = kFirstRestBlocks;
  }
}

void EchoCanceller::reset(Channel& channel) noexcept {
  channel.path.reset();
  channel.analysis.reset();
  channel.suppressor.reset();
  channel.doubt_blocks = channel.worse_blocks = 0;
  channel.rest_blocks = kFirstRestBlocks;
}

void EchoCanceller::process(const float* const* microphone, const float* const* reference,
                            float* const* out) noexcept {
  const float* const silence[] = {silence_.data(), silence_.data()};
  reference_.push(cancelling_.load(std::memory_order_relaxed) ? reference : silence, fft_);
  for (size_t c = 0; c < channels_.size(); ++c) cancel(*channels_[c], microphone[c], out[c]);
  follow(out);
}

bool EchoCanceller::idle() const noexcept {
  return !reference_.sounds() &&
         std::all_of(channels_.begin(), channels_.end(), [](const std::unique_ptr<Channel>& one) {
           return one->zero_blocks >= kSilentBlocks;
         });
}

void EchoCanceller::cancel(Channel& channel, const float* microphone, float* out) noexcept {
  std::vector<float>&d = channel.microphone, &e = channel.residual;
  std::copy_n(microphone, shape_.block, d.begin());
  float before = power(d.data(), shape_.block);
  if (!(before < kSenseless)) {  // a NaN would stay in every mean
    std::fill(d.begin(), d.end(), 0.0f);
    before = 0;
  }
  // The microphone is muted, or the stream has a gap: the filter learns nothing from it, and the
  // output is silent too.
  channel.zero_blocks = before == 0 ? std::min(channel.zero_blocks + 1, kSilentBlocks) : 0;
  if (channel.zero_blocks == kSilentBlocks) {
    std::fill(e.begin(), e.end(), 0.0f);
    channel.suppressor.silence(channel.analysis, out);
    return;
  }
  const bool active = reference_.sounds();
  const float left = subtract(channel, active && before > 0, before);
  if (active && before > 0) learn(channel);
  bypass(channel, active && (channel.residual_mean > kWorse * channel.microphone_mean ||
                             left > kWorseBlock * before));
  channel.analysis.analyse(e.data(), channel.echo.data(), reference_, channel.suppressor.noise(),
                           active, fft_);
  channel.suppressor.process(channel.analysis, channel.path, reference_, fft_, out);
  if (suppression_ == EchoSuppression::kOff) std::copy(e.begin(), e.end(), out);
}

// Takes the estimated echo out of the block, whose power is `before`. Returns what is left.
float EchoCanceller::subtract(Channel& channel, bool estimates, float before) noexcept {
  std::vector<float>&d = channel.microphone, &e = channel.residual, &y = channel.echo;
  if (estimates) {
    doubt(channel);  // before the prediction, because the doubt sets the size of the steps
    channel.path.predict(reference_, fft_, y.data());
  } else {
    channel.path.predict_silence();
    std::fill(y.begin(), y.end(), 0.0f);
  }
  for (size_t i = 0; i < shape_.block; ++i) e[i] = d[i] - y[i];
  if (estimates && channel.memory.recognises(channel.path, reference_, fft_, d.data(), e.data())) {
    channel.memory.restore(channel.path);
    std::copy_n(channel.memory.echo(), shape_.block, y.begin());
    for (size_t i = 0; i < shape_.block; ++i) e[i] = d[i] - y[i];
  }
  float left = power(e.data(), shape_.block);
  if (!(left < kSenseless)) {
    reset(channel);
    e = d;
    std::fill(y.begin(), y.end(), 0.0f);
    left = before;
  }
  channel.microphone_mean += kMeanShare * (before - channel.microphone_mean);
  channel.residual_mean += kMeanShare * (left - channel.residual_mean);
  return left;
}

void EchoCanceller::doubt(Channel& channel) noexcept {
  int& blocks = channel.doubt_blocks;
  blocks = channel.analysis.mean() > kDoubtAt ? blocks + 1 : std::max(0, blocks - 1);
  if (channel.analysis.wrong() > kWrongAt) blocks += kWrongBlocks;
  if (channel.rest_blocks > 0) {
    --channel.rest_blocks;
  } else if (blocks > kDoubtBlocks) {
    channel.path.doubt(channel.analysis.gain());
    channel.rest_blocks = kRestBlocks;
    blocks = 0;
  }
}

void EchoCanceller::learn(Channel& channel) noexcept {
  const std::vector<float>& d = channel.microphone;
  const bool worse = channel.residual_mean > kMuchWorse * channel.microphone_mean + 1e-9f;
  channel.worse_blocks = worse ? channel.worse_blocks + 1 : 0;
  const auto clipped = [](float sample) { return std::fabs(sample) >= kClipped; };
  // There is no echo, as with headphones: what the filter has learnt is noise, and would damage a
  // voice. After a change of a real path the taps stay, because they are right in part.
  const bool useless = unexplained_ > kUselessSeconds;
  if (useless && channel.residual_mean > kWorse * channel.microphone_mean) channel.path.shrink();
  if (channel.worse_blocks > kWorstBlocks) {
    reset(channel);
    // the filter learns nothing from a clipped block
  } else if (std::none_of(d.begin(), d.end(), clipped)) {
    channel.path.adapt(reference_, fft_, channel.residual.data(), channel.analysis.unrest());
  }
}

// As long as the filter adds sound instead of taking some away, the output is the unfiltered input.
// The change is faded over one block.
void EchoCanceller::bypass(Channel& channel, bool worse) noexcept {
  const float to = worse ? 1.0f : 0.0f, from = std::exchange(channel.bypass, to);
  if (to == 0 && from == 0) return;
  for (size_t i = 0; i < shape_.block; ++i) {
    const float share = static_cast<float>(i + 1) / static_cast<float>(shape_.block);
    float& sample = channel.residual[i];
    sample += (from + (to - from) * share) * (channel.microphone[i] - sample);
  }
}

// The output of the suppressor is one block late. Means over a second may ignore that.
void EchoCanceller::follow(const float* const* out) noexcept {
  EchoReport report;
  report.reference_sounds = reference_.sounds();
  double before = 0, cancelled = 0, after = 0;
  for (size_t c = 0; c < channels_.size(); ++c) {
    const Channel& channel = *channels_[c];
    report.double_talk |= report.reference_sounds && channel.suppressor.near() > kNearTalks;
    before += static_cast<double>(power(channel.microphone.data(), shape_.block));
    cancelled += static_cast<double>(power(channel.residual.data(), shape_.block));
    after += static_cast<double>(power(out[c], shape_.block));
  }
  if (report.reference_sounds && !report.double_talk) {
    before_ += kReportShare * (before - before_);
    cancelled_ += kReportShare * (cancelled - cancelled_);
    after_ += kReportShare * (after - after_);
  }
  const double least = 1e-12;
  report.converged = before_ > kConvergedRatio * cancelled_ + least;
  report.erle_db = static_cast<float>(10 * std::log10((before_ + least) / (after_ + least)));
  const auto delay = static_cast<float>(channels_[0]->path.delay_frames());
  report.delay_ms = delay * 1000 / static_cast<float>(shape_.rate);
  const auto samples = static_cast<double>(shape_.block * channels_.size());
  if (report.reference_sounds && before > static_cast<double>(kLeastSound) * samples) {
    heard_ += kLongShare * (before - heard_);
    left_ += kLongShare * (cancelled - left_);
    unexplained_ += kBlockSeconds;
  }
  if (report.converged || heard_ > kExplainedRatio * left_) unexplained_ = 0;
  report.unexplained_seconds = unexplained_;
  shown_.store(report);
}

}  // namespace patchcord
