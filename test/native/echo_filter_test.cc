#include "../../src/core/signal/echo_filter.h"

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "../../src/core/signal/real_fft.h"
#include "allocations.h"
#include "check.h"
#include "echo_scene.h"
#include "random_signal.h"

using namespace patchcord;

namespace {

using Line = std::vector<float>;

// Frames of all lines, one channel after the other.
Line joined(const std::vector<Line>& lines) {
  Line all(lines[0].size() * lines.size());
  for (size_t c = 0; c < lines.size(); ++c) {
    for (size_t i = 0; i < lines[c].size(); ++i) all[i * lines.size() + c] = lines[c][i];
  }
  return all;
}

Line channel(const Line& frames, size_t channels, size_t which) {
  Line one(frames.size() / channels);
  for (size_t i = 0; i < one.size(); ++i) one[i] = frames[i * channels + which];
  return one;
}

// All that comes out, as long as what goes in.
Line filtered(EchoFilter& filter, const Line& in, const std::vector<size_t>& cuts = {480}) {
  const size_t width = filter.in().channels, channels = filter.out().channels;
  const size_t frames = in.size() / width;
  Line out, part(filter.most_out(kFilterBlock) * channels);
  const auto give = [&](const float* from, size_t count) {
    CHECK(count <= kFilterBlock);
    const size_t made = filter.process(from, count, part.data());
    CHECK(made <= filter.most_out(count));
    out.insert(out.end(), part.begin(),
               part.begin() + static_cast<std::ptrdiff_t>(made * channels));
  };
  size_t turn = 0;
  for (size_t done = 0; done < frames; ++turn) {
    const size_t count = std::min(cuts[turn % cuts.size()], frames - done);
    give(&in[done * width], count);
    done += count;
  }
  for (size_t held = filter.held_frames(); held > 0;) {
    const size_t count = std::min(held, kFilterBlock);
    give(nullptr, count);
    held -= count;
  }
  CHECK(out.size() >= frames * channels);
  out.resize(frames * channels);
  return out;
}

// The reference comes early by the canceller's lead.
Line early(const Line& reference, uint32_t rate) {
  const auto lead = static_cast<std::ptrdiff_t>(EchoFilter::kLeadSeconds * rate);
  Line moved(reference.begin() + lead, reference.end());
  moved.resize(reference.size());
  return moved;
}

Line cancelled(const EchoScene& scene, EchoFilter::Config config = {},
               std::shared_ptr<const EchoCanceller>* canceller = nullptr) {
  config.sample_rate = scene.rate;
  EchoFilter filter(config);
  if (canceller != nullptr) *canceller = filter.canceller();
  return filtered(filter, joined({scene.microphone, early(scene.far, scene.rate)}));
}

EchoScene made(EchoScene scene) {
  scene.make();
  return scene;
}

}  // namespace

TEST("a transform is the sum that defines it, and its inverse gives the samples back") {
  for (const size_t size : {16u, 32u, 256u, 512u, 1024u}) {
    RealFft fft(size);
    const Line samples = RandomSignal(size).samples(size);
    Line re(size / 2 + 1), im(size / 2 + 1), back(size);
    fft.forward(samples.data(), re.data(), im.data());
    double worst = 0;
    for (size_t k = 0; k <= size / 2; k += size / 16) {
      double sum_re = 0, sum_im = 0;
      for (size_t i = 0; i < size; ++i) {
        const double angle = 6.283185307179586 * static_cast<double>(i * k % size) / size;
        sum_re += samples[i] * std::cos(angle);
        sum_im -= samples[i] * std::sin(angle);
      }
      worst = std::max({worst, std::fabs(sum_re - re[k]), std::fabs(sum_im - im[k])});
    }
    CHECK(worst < 1e-4);
    fft.inverse(re.data(), im.data(), back.data());
    for (size_t i = 0; i < size; ++i) CHECK_NEAR(back[i], samples[i], 1e-6);
  }
}

// Means over seeds, as in docs/echo.md.
TEST("the echo is 25 dB lower within the first second, 32 dB once converged, and a talker stays") {
  for (const uint32_t rate : {16000u, 48000u}) {
    double first = 0, later = 0, near = 0;
    for (const uint64_t seed : {11u, 12u}) {
      EchoScene scene;
      scene.rate = rate;
      scene.seed = seed;
      scene.make();
      std::shared_ptr<const EchoCanceller> canceller;
      const Line out = cancelled(scene, {}, &canceller);
      first += scene.erle_db(out, 0.5, 1.5) / 2;
      later += scene.erle_db(out, 3, 6) / 2;
      near += scene.near_sdr_db(out, 7, 11) / 2;
      CHECK(canceller->report().converged);
      // The direct sound is the loudest, and comes the lead later than the reference.
      CHECK_NEAR(canceller->report().delay_ms, scene.delay_ms + 10, 0.3);
    }
    std::printf("  %u Hz: %.1f dB in the first second, %.1f dB converged, talker %.1f dB\n", rate,
                first, later, near);
    CHECK(first >= 25);
    CHECK(later >= 32);
    CHECK(near >= 14);
  }
}

TEST("it detects double-talk") {
  const EchoScene scene = made({});
  EchoFilter::Config config;
  config.sample_rate = scene.rate;
  EchoFilter filter(config);
  const Line in = joined({scene.microphone, early(scene.far, scene.rate)});
  Line out(filter.most_out(800));
  double alone = 0, both = 0;
  for (size_t at = 0; at + 800 <= scene.far.size(); at += 800) {
    filter.process(&in[2 * at], 800, out.data());
    const double seconds = static_cast<double>(at) / scene.rate;
    const bool told = filter.canceller()->report().double_talk;
    if (seconds > 1.5 && seconds < 5.9 && told) alone += 0.05 / 4.4;
    if (seconds > 6.5 && told) both += 0.05 / 4.5;
  }
  std::printf("  %.0f %% of the time alone, %.0f %% with both\n", 100 * alone, 100 * both);
  CHECK(alone < 0.1);
  CHECK(both > 0.5);
}

TEST("a talker 10 dB below the echo of a laptop is left 8 dB above all else") {
  double near = 0;
  for (const uint64_t seed : {21u, 22u}) {
    EchoScene scene;
    scene.seed = seed;
    scene.near_over_echo_db = -10;
    scene.distortion = 0.03;
    scene.delay_ms = 0.7;
    scene.make();
    near += scene.near_sdr_db(cancelled(scene), 7, 11) / 2;
  }
  std::printf("  %.1f dB\n", near);
  CHECK(near >= 8);
}

TEST("without suppression the echo is cancelled without delay") {
  const EchoScene scene = made({});
  EchoFilter::Config config;
  config.suppression = EchoSuppression::kOff;
  const Line out = cancelled(scene, config);
  CHECK(scene.erle_db(out, 3, 6) >= 20);
  CHECK(scene.near_sdr_db(out, 7, 11) >= 14);
  config.sample_rate = scene.rate;
  EchoFilter filter(config);
  Line block(2 * 80, 0.1f), made_now(filter.most_out(80));
  CHECK(filter.process(block.data(), 80, made_now.data()) == 80);
  CHECK(filter.held_frames() == 0);
}

TEST("with a silent reference the output is the input, bit for bit, at all rates") {
  for (const uint32_t rate :
       {8000u, 11025u, 16000u, 22050u, 44100u, 48000u, 64000u, 88200u, 96000u, 192000u, 384000u}) {
    for (const EchoSuppression suppression :
         {EchoSuppression::kOff, EchoSuppression::kModerate, EchoSuppression::kHigh}) {
      EchoFilter::Config config;
      config.sample_rate = rate;
      config.channels = 2;
      config.suppression = suppression;
      EchoFilter filter(config);
      const size_t frames = rate / 4 + 7;
      const Line left = RandomSignal(3).samples(frames), right = RandomSignal(4).samples(frames);
      const Line out = filtered(filter, joined({left, right, Line(frames)}), {441, 7, 1000});
      CHECK(channel(out, 2, 0) == left);
      CHECK(channel(out, 2, 1) == right);
    }
  }
}

TEST("the output is the input, bit for bit, from 0.73 s behind the reference's end on") {
  EchoScene scene;
  scene.decay_seconds = 0.7;
  scene.make();
  const size_t end = 7 * scene.rate, exact = end + 730 * scene.rate / 1000;
  std::fill(scene.far.begin() + static_cast<std::ptrdiff_t>(end), scene.far.end(), 0.0f);
  for (size_t i = end; i < scene.far.size(); ++i) {
    // A talker, and pauses in which any estimate of an echo would count.
    const float quiet = i / 1600 % 2 == 0 ? 1e-3f : 1.0f;
    scene.microphone[i] = quiet * scene.near[i];
  }
  const Line out = cancelled(scene);
  for (size_t i = exact; i < out.size(); ++i) CHECK(out[i] == scene.microphone[i]);
}

TEST("however the input is cut, the output has the same bits") {
  for (const uint32_t rate : {16000u, 44100u, 96000u}) {
    RandomSignal random(5);
    const size_t frames = rate;
    const Line reference = random.samples(frames, 0.3f);
    Line microphone(frames);
    for (size_t i = 50; i < frames; ++i) {
      microphone[i] = 0.5f * reference[i - 50] + static_cast<float>(random.real(-0.01, 0.01));
    }
    const Line in = joined({microphone, reference});
    const auto cut = [&](const std::vector<size_t>& cuts) {
      EchoFilter::Config config;
      config.sample_rate = rate;
      EchoFilter filter(config);
      return filtered(filter, in, cuts);
    };
    const Line whole = cut({1024});
    CHECK(cut({1}) == whole);
    CHECK(cut({480}) == whole);
    CHECK(cut({13, 999, 1, 80}) == whole);
  }
}

TEST("nothing is allocated while it runs") {
  for (const uint32_t rate : {16000u, 48000u, 192000u}) {
    EchoFilter::Config config;
    config.sample_rate = rate;
    config.channels = 2;
    config.reference_channels = 2;
    EchoFilter filter(config);
    const Line in = RandomSignal(6).samples(4 * kFilterBlock, 0.2f);
    Line out(filter.most_out(kFilterBlock) * 2);
    const long before = allocations;
    for (size_t i = 0; i < rate / kFilterBlock; ++i) {
      filter.process(in.data(), kFilterBlock, out.data());
    }
    filter.process(nullptr, kFilterBlock, out.data());
    filter.skip_silence(rate);
    CHECK(allocations == before);
  }
}

TEST("each microphone channel has its own filter, and the same result as alone") {
  const EchoScene one = made({});
  EchoScene other;
  other.seed = 1;
  other.delay_ms = 7;
  other.make();
  CHECK(one.far == other.far);
  EchoFilter::Config config;
  config.sample_rate = one.rate;
  config.channels = 2;
  EchoFilter filter(config);
  const Line far = early(one.far, one.rate);
  const Line out = filtered(filter, joined({one.microphone, other.microphone, far}));
  CHECK(channel(out, 2, 0) == cancelled(one));
  CHECK(channel(out, 2, 1) == cancelled(other));
}

TEST("in another room the echo is low again within the first second") {
  double erle = 0;
  for (const uint64_t seed : {41u, 42u}) {
    EchoScene scene, other;
    scene.seed = other.seed = seed;
    other.delay_ms = 8;
    other.decay_seconds = 0.3;
    scene.make();
    other.make();
    const auto change = static_cast<std::ptrdiff_t>(3 * scene.rate);
    std::copy(other.microphone.begin() + change, other.microphone.end(),
              scene.microphone.begin() + change);
    erle += scene.erle_db(cancelled(scene), 3, 4) / 2;
  }
  std::printf("  %.1f dB\n", erle);
  CHECK(erle >= 25);
}

TEST("a loudspeaker that was off for seconds is cancelled within the first second again") {
  double erle = 0;
  for (const uint64_t seed : {51u, 52u}) {
    EchoScene scene;
    scene.seed = seed;
    scene.make();
    const size_t from = 2 * scene.rate, to = 5 * scene.rate;
    for (size_t i = from; i < to; ++i) scene.microphone[i] -= scene.echo[i];
    erle += scene.erle_db(cancelled(scene), 5, 5.9) / 2;
  }
  std::printf("  %.1f dB\n", erle);
  CHECK(erle >= 18);
}

TEST("the voice of a talker with headphones stays as it is") {
  for (const uint64_t seed : {61u, 62u, 63u}) {
    EchoScene scene;
    scene.seed = seed;
    scene.make();
    for (size_t i = 0; i < scene.echo.size(); ++i) scene.microphone[i] -= scene.echo[i];
    const double near = scene.near_sdr_db(cancelled(scene), 7, 11);
    std::printf("  %.1f dB\n", near);
    CHECK(near >= 28);
  }
}

TEST("while it does not cancel, the output is the input, and it keeps what it has learnt") {
  const EchoScene scene = made({});
  EchoFilter::Config config;
  config.sample_rate = scene.rate;
  EchoFilter filter(config);
  const Line in = joined({scene.microphone, early(scene.far, scene.rate)});
  Line part(filter.most_out(800)), out;
  for (size_t at = 0; at + 800 <= scene.far.size(); at += 800) {
    filter.canceller()->set_cancelling(at < 2 * scene.rate || at >= 4 * scene.rate);
    const size_t count = filter.process(&in[2 * at], 800, part.data());
    out.insert(out.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(count));
  }
  for (size_t i = 3 * scene.rate; i < 4 * scene.rate - 80; ++i) {
    CHECK(out[i] == scene.microphone[i]);
  }
  CHECK(scene.erle_db(out, 4.2, 5) >= 30);
}

TEST("two different sounds, left and right, need the two channels of the reference") {
  EchoScene left, right;
  left.seed = 31;
  right.seed = 32;
  right.delay_ms = 5;
  left.make();
  right.make();
  const size_t frames = left.far.size();
  Line microphone(frames), mono(frames);
  for (size_t i = 0; i < frames; ++i) {
    microphone[i] = left.echo[i] + right.echo[i];
    mono[i] = 0.5f * (left.far[i] + right.far[i]);
  }
  EchoFilter::Config config;
  config.sample_rate = left.rate;
  config.suppression = EchoSuppression::kOff;
  EchoFilter one(config);
  const Line with_one = filtered(one, joined({microphone, early(mono, left.rate)}));
  config.reference_channels = 2;
  EchoFilter two(config);
  const Line with_two =
      filtered(two, joined({microphone, early(left.far, left.rate), early(right.far, left.rate)}));
  const double before = left.power_db(microphone, 8, 11);
  CHECK(before - left.power_db(with_one, 8, 11) < 15);
  CHECK(before - left.power_db(with_two, 8, 11) > 20);
}

TEST("at 8 and 192 kHz the echo goes as well") {
  for (const uint32_t rate : {8000u, 192000u}) {
    EchoScene scene;
    scene.rate = rate;
    scene.seconds = 7;
    scene.make();
    const double erle = scene.erle_db(cancelled(scene), 3, 6);
    std::printf("  %u Hz: %.1f dB\n", rate, erle);
    CHECK(erle >= 28);
  }
}

TEST("NaN, infinities, full scale and clipping leave it finite, and it recovers") {
  EchoScene scene = made({});
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(),
                       std::numeric_limits<float>::infinity(), 1e30f, -3e38f, 1e-40f};
  for (size_t i = 0; i < std::size(bad); ++i) {
    scene.microphone[2 * scene.rate + 100 * i] = bad[i];
    scene.far[2 * scene.rate + 70 * i] = bad[i];
  }
  for (size_t i = 3 * scene.rate; i < 4 * scene.rate; ++i) {
    scene.microphone[i] = i % 100 < 50 ? 1.0f : -1.0f;
    scene.far[i] = i % 90 < 45 ? 1.0f : -1.0f;
  }
  const Line out = cancelled(scene);
  for (const float sample : out) CHECK(std::isfinite(sample) && std::fabs(sample) < 8);
  CHECK(scene.erle_db(out, 5, 6) >= 25);
}

TEST("a muted microphone stays silent, and the filter keeps what it has learnt") {
  EchoScene scene = made({});
  const size_t from = 3 * scene.rate, to = 4 * scene.rate;
  std::fill(scene.microphone.begin() + static_cast<std::ptrdiff_t>(from),
            scene.microphone.begin() + static_cast<std::ptrdiff_t>(to), 0.0f);
  const Line out = cancelled(scene);
  for (size_t i = from + 3 * 80; i < to - 80; ++i) CHECK(out[i] == 0);
  CHECK(scene.erle_db(out, 4.1, 5) >= 30);
}

TEST("an hour of silence is skipped at once, and is as if it had been processed") {
  for (const uint32_t rate : {16000u, 96000u}) {
    RandomSignal random(8);
    const Line in = random.samples(2 * rate, 0.1f);
    EchoFilter::Config config;
    config.sample_rate = rate;
    EchoFilter skips(config), processes(config);
    filtered(skips, in);
    filtered(processes, in);
    const size_t most = skips.most_out(kFilterBlock);
    Line one(most), other(most);
    const auto zeros = [&](EchoFilter& filter, Line& out, size_t count) {
      return filter.process(nullptr, count, out.data());
    };
    CHECK(skips.skip_silence(3600ull * rate).in_frames == 0);
    for (size_t i = 0; i < rate; i += 500) {
      zeros(skips, one, 500);
      zeros(processes, other, 500);
    }
    const Filter::Skip skipped = skips.skip_silence(2 * rate + 3);
    CHECK(skipped.in_frames == skipped.out_frames);
    CHECK(skipped.in_frames > 2 * rate - rate / 100);
    for (uint64_t done = 0; done < skipped.in_frames;) {
      const auto count = static_cast<size_t>(std::min<uint64_t>(1000, skipped.in_frames - done));
      zeros(processes, other, count);
      done += count;
    }
    CHECK(filtered(skips, in) == filtered(processes, in));
  }
}

TEST("an unrelated reference is detected") {
  EchoScene scene = made({}), other;
  other.seed = 77;
  other.make();
  EchoFilter::Config config;
  config.sample_rate = scene.rate;
  EchoFilter filter(config);
  filtered(filter, joined({scene.microphone, other.far}));
  CHECK(filter.canceller()->report().unexplained_seconds > 5);
  CHECK(!filter.canceller()->report().converged);
}
