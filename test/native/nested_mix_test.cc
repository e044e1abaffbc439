// A mix that is an input of another mix, and rests behind the end of its inputs until JavaScript
// has taken notice.
#include <cstdint>
#include <memory>
#include <vector>

#include "../../src/core/graph/mixer_node.h"
#include "check.h"

using namespace patchcord;

namespace {

constexpr uint32_t kRate = 48000;
constexpr size_t kPeriod = 480;

class Told final : public MixerNode::Listener {
 public:
  void on_replaced(uint64_t, uint64_t frames) noexcept override { lost += frames; }
  void on_missed(uint64_t, uint64_t frames, bool) noexcept override { lost += frames; }
  uint64_t lost = 0;
};

MixerNode::Input input_of(const std::shared_ptr<FrameQueue>& queue) {
  MixerNode::Input input;
  input.controls = std::make_shared<InputControls>(1, kRate);
  input.live = std::make_shared<LiveInput>(queue, kRate, 1);
  input.connection = 1;
  return input;
}

std::shared_ptr<FrameQueue> queue() { return std::make_shared<FrameQueue>(1, kRate, 6 * kRate); }

// A stream of the same sample, from and to a time, whose packets come on time.
class Steady {
 public:
  Steady(int64_t from_ms, int64_t to_ms) : from_(from_ms), to_(to_ms) {}
  void at(int64_t ms) {
    if (ms % 10 != 0 || ms <= from_ || ms > to_) return;
    const std::vector<float> samples(kPeriod, 0.5f);
    frames->push(samples.data(), {sent_, kPeriod, static_cast<double>(ms - 10) * 1e6, kRate, 0});
    sent_ += kPeriod;
    if (ms == to_) frames->end();
  }
  const std::shared_ptr<FrameQueue> frames = queue();

 private:
  const int64_t from_, to_;
  uint64_t sent_ = 0;
};

struct Heard {
  uint64_t frames = 0, sound = 0, told = 0;
};

// Plays a mix of a mix for 8 s. The first input of the inner mix ends after 2 s. `notice_ms` later
// the inner mix gets another input, or ends.
Heard play(bool driven, int64_t notice_ms, bool another) {
  Told inner_told, outer_told;
  MixerNode::Config config{kRate, 1, 30e6, false};
  config.ends_with_inputs = true;
  MixerNode inner(config, &inner_told);
  config.ends_with_inputs = false;
  MixerNode outer(config, &outer_told);
  const auto link = queue(), tap = std::make_shared<FrameQueue>(1, kRate, 10 * kRate);
  Steady first(0, 2000), second(2000 + notice_ms, 9000);
  const MixerNode::Input one = input_of(first.frames);
  inner.publish({one});
  inner.attach(link, nullptr);
  outer.publish({input_of(link)});
  outer.attach(tap, nullptr);
  inner.begin_at(0);
  outer.begin_at(0);
  std::vector<float> block(kPeriod);
  for (int64_t ms = 1; ms <= 8000; ++ms) {
    first.at(ms);
    second.at(ms);
    if (ms == 2000 + notice_ms && another) inner.publish({one, input_of(second.frames)});
    if (ms == 2000 + notice_ms && !another) inner.finish();
    if (another || ms < 2000 + notice_ms) inner.pump(ms * kNsPerMs);
    if (!driven) outer.pump(ms * kNsPerMs);
    if (driven && ms % 10 == 0)
      outer.pull(block.data(), kPeriod, {static_cast<double>(ms) * 1e6, kRate});
  }
  Heard heard;
  heard.told = inner_told.lost + outer_told.lost;
  for (size_t got; (got = tap->read(block.data(), kPeriod)) > 0; heard.frames += got) {
    for (size_t i = 0; i < got; ++i) heard.sound += block[i] > 0.49f ? 1 : 0;
  }
  return heard;
}

}  // namespace

TEST("a mix that rests loses nothing in the mix that it is an input of") {
  for (const bool driven : {false, true}) {
    for (const bool another : {true, false}) {
      for (const int64_t notice_ms : {30, 400, 2000}) {
        const Heard heard = play(driven, notice_ms, another);
        CHECK(heard.told == 0);
        CHECK_NEAR(static_cast<double>(heard.frames), 7.98 * kRate, 2 * kPeriod);
        // The mixes lack the sound of their lag before each beginning, and of the time before the
        // notice.
        const double sound = another ? 8 - static_cast<double>(notice_ms) / 1000 : 2;
        CHECK_NEAR(static_cast<double>(heard.sound), (sound - 0.04) * kRate, 0.05 * kRate);
      }
    }
  }
}
