#include "../../src/core/signal/converter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "check.h"
#include "random_signal.h"

using namespace patchcord;

namespace {

using Quality = ResamplerQuality;
using Shape = Filter::Shape;
constexpr size_t kFrames = 5000;

// Converts `in` and `zeros` frames after it, in pieces of random sizes of at most `most` frames.
std::vector<float> converted(Converter* converter, const std::vector<float>& in, size_t zeros,
                             uint32_t most, RandomSignal* random) {
  const size_t channels = converter->in().channels, frames = in.size() / channels;
  std::vector<float> out, room;
  size_t done = 0;
  const auto convert = [&](const float* from, size_t piece, size_t wanted) {
    room.resize(wanted * converter->out().channels);
    const Resampler::Progress step = converter->process(from, piece, room.data(), wanted);
    CHECK(step.consumed == piece || step.produced == wanted);
    done += step.consumed;
    out.insert(out.end(), room.begin(),
               room.begin() + static_cast<long>(step.produced * converter->out().channels));
  };
  while (done < frames + zeros) {
    const bool sound = done < frames;
    const size_t left = (sound ? frames : frames + zeros) - done;
    convert(sound ? &in[done * channels] : nullptr, std::min<size_t>(random->whole(1, most), left),
            random->whole(1, most));
  }
  convert(nullptr, 0, kFrames);  // what there was no room for
  return out;
}

// The same by a resampler and a map, at once.
std::vector<float> expected(const std::vector<float>& in, size_t zeros, Shape from, Shape to,
                            bool variable) {
  std::vector<float> mapped = in;
  const ChannelMap map(from.channels, to.channels);
  const uint32_t channels = std::min(from.channels, to.channels);
  if (to.channels < from.channels) {
    mapped.resize(in.size() / from.channels * channels);
    map.process(in.data(), mapped.data(), in.size() / from.channels);
  }
  mapped.resize(mapped.size() + zeros * channels);
  const size_t frames = mapped.size() / channels;
  Resampler resampler(from.rate, to.rate, channels, Quality::kMedium, variable);
  std::vector<float> made((frames * to.rate / from.rate + 16) * channels);
  const Resampler::Progress all =
      resampler.process(mapped.data(), frames, made.data(), made.size() / channels);
  CHECK(all.consumed == frames);
  made.resize(all.produced * channels);
  if (to.channels <= from.channels) return made;
  std::vector<float> out(all.produced * to.channels);
  map.process(made.data(), out.data(), all.produced);
  return out;
}

TEST("a converter is a resampler and a channel map, however its input and output are cut") {
  RandomSignal random(7);
  for (const Shape from : {Shape{48000, 1}, Shape{48000, 2}, Shape{44100, 6}}) {
    for (const Shape to : {Shape{48000, 2}, Shape{16000, 1}, Shape{96000, 2}}) {
      for (const bool variable : {false, true}) {
        for (const uint32_t most : {7u, 900u, 4000u}) {
          if (from.channels == to.channels) continue;
          Converter converter(from, to, Quality::kMedium, variable);
          const std::vector<float> in = random.samples(kFrames * from.channels);
          const size_t zeros = converter.memory_frames();
          CHECK(converted(&converter, in, zeros, most, &random) ==
                expected(in, zeros, from, to, variable));
        }
      }
    }
  }
}

TEST("what goes in is heard as much later as delay_ns() says") {
  for (const bool variable : {false, true}) {
    for (const uint32_t rate : {8000u, 44100u, 48000u}) {
      Converter converter({48000, 2}, {rate, 1}, Quality::kHigh, variable);
      // So much must follow an instant until its output can be made.
      CHECK_NEAR(converter.delay_ns(),
                 (static_cast<double>(converter.needed_for(1)) - 1) * 1e9 / 48000, 1);
      CHECK(converter.held_frames() > 0 || (rate == 48000 && !variable));
      CHECK(converter.memory_frames() >= converter.held_frames());
    }
  }
}

TEST("where only channels change, or nothing does, bits are kept and nothing is held back") {
  RandomSignal random(3);
  std::vector<float> in = random.samples(64);
  in[5] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> out(in.size());
  Converter same({48000, 2}, {48000, 2}, Quality::kHigh);
  CHECK(same.process(in.data(), 32, out.data()) == 32);
  CHECK(std::memcmp(in.data(), out.data(), in.size() * sizeof(float)) == 0);
  CHECK(same.process(nullptr, 32, out.data()) == 32);
  CHECK(std::count(out.begin(), out.end(), 0.0f) == 64);
  CHECK(same.needed_for(7) == 7 && same.position() == 0 && same.memory_frames() == 0);
  const Filter::Skip skip = same.skip_silence(uint64_t{1} << 40);
  CHECK(skip.in_frames == uint64_t{1} << 40 && skip.out_frames == skip.in_frames);
  Converter swapped({48000, 2}, {48000, 2}, Quality::kHigh, false,
                    std::make_unique<ChannelMap>(2, std::vector<int32_t>{1, 0}));
  CHECK(swapped.process(in.data(), 32, out.data()) == 32);
  CHECK(out[0] == in[1] && out[1] == in[0]);
}

}  // namespace
