#include "../../src/core/signal/resampler_design.h"

#include <atomic>
#include <thread>
#include <vector>

#include "check.h"

using namespace patchcord;

namespace {

using Quality = ResamplerQuality;

std::shared_ptr<const ResamplerDesign> design(uint32_t in_rate, uint32_t out_rate) {
  return ResamplerDesign::shared({in_rate, out_rate}, Quality::kLow, false);
}

// More than are kept.
void design_others() {
  for (uint32_t rate = 1; rate <= 8; ++rate) design(8000, 8000 + 1000 * rate);
}

TEST("resamplers of one ratio share a design, others do not") {
  const auto one = ResamplerDesign::shared({44100, 48000}, Quality::kLow, false);
  CHECK(one->bank.has_value());
  CHECK(ResamplerDesign::shared({88200, 96000}, Quality::kLow, false) == one);
  CHECK(ResamplerDesign::shared({48000, 44100}, Quality::kLow, false) != one);
  CHECK(ResamplerDesign::shared({44100, 48000}, Quality::kMedium, false) != one);
  CHECK(ResamplerDesign::shared({44100, 48000}, Quality::kLow, true) != one);
}

TEST("a design in use stays, and an unused one is kept for a while and then freed") {
  const auto used = design(48000, 16000);
  std::weak_ptr<const ResamplerDesign> unused = design(48000, 24000);
  CHECK(!unused.expired());
  CHECK(design(48000, 24000) == unused.lock());
  design_others();
  CHECK(unused.expired());
  CHECK(design(48000, 16000) == used);
}

TEST("a resampler keeps its design when others have displaced it in the cache") {
  std::vector<float> in(4410, 0.5f), first(4800), second(4800);
  Resampler resampler(44100, 48000, 1, Quality::kLow, false);
  const size_t made = resampler.process(in.data(), in.size(), first.data(), first.size()).produced;
  resampler.reset();
  design_others();
  CHECK(resampler.process(in.data(), in.size(), second.data(), second.size()).produced == made);
  CHECK(made > 4700 && first == second);
}

TEST("threads that make and drop resamplers at once share designs") {
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([&right, n] {
      std::vector<float> in(480, 0.5f), out(500);
      for (int i = 0; i < 100; ++i) {
        const uint32_t to = 8000 + 1000 * static_cast<uint32_t>((n + i) % 7);
        Resampler resampler(16000, to, 1, Quality::kLow, false);
        right += resampler.process(in.data(), in.size(), out.data(), out.size()).consumed > 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 400);
}

}  // namespace
