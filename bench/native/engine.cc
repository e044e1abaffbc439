#include "engine.h"

#include <cmath>

#include "../../src/core/signal/resampler.h"

#if HAVE_SOXR
#include <soxr.h>
#endif
#if HAVE_SAMPLERATE
#include <samplerate.h>
#endif
#if HAVE_SPEEXDSP
#include <speex/speex_resampler.h>
#endif

namespace {

class Ours final : public Engine {
 public:
  Ours(double in_rate, double out_rate, patchcord::ResamplerQuality quality, bool variable)
      : resampler_(whole(in_rate), whole(out_rate), kChannels, quality, variable),
        nominal_((in_rate / out_rate) / (whole(in_rate) / static_cast<double>(whole(out_rate)))) {
    resampler_.set_ratio(nominal_);
  }
  size_t run(const float* in, size_t frames, float* out, size_t room) override {
    return resampler_.process(in, frames, out, room).produced;
  }
  bool set_ratio(double ratio) override {
    resampler_.set_ratio(nominal_ * ratio);
    return true;
  }

 private:
  static uint32_t whole(double rate) { return static_cast<uint32_t>(std::lround(rate)); }

  patchcord::Resampler resampler_;
  const double nominal_;
};

void add_ours(std::vector<EngineKind>* kinds) {
  using Quality = patchcord::ResamplerQuality;
  const struct {
    const char* name;
    Quality quality;
  } qualities[] = {{"low", Quality::kLow},
                   {"medium", Quality::kMedium},
                   {"high", Quality::kHigh},
                   {"best", Quality::kBest}};
  for (const bool variable : {false, true}) {
    for (const auto& one : qualities) {
      kinds->push_back(
          {std::string("patchcord ") + one.name + (variable ? ", variable" : ""), variable,
           [one, variable](double in_rate, double out_rate) {
             // Other ratios need a variable one.
             const bool fits = variable || (in_rate == std::floor(in_rate) && in_rate != out_rate);
             return fits ? std::make_unique<Ours>(in_rate, out_rate, one.quality, variable)
                         : nullptr;
           }});
    }
  }
}

#if HAVE_SOXR
class Soxr final : public Engine {
 public:
  Soxr(double in_rate, double out_rate, unsigned long recipe, bool variable)
      : ratio_(in_rate / out_rate) {
    const soxr_quality_spec_t quality = soxr_quality_spec(recipe, variable ? SOXR_VR : 0);
    // For a variable ratio the first rate sets the largest ratio that may follow.
    soxr_ = soxr_create(variable ? ratio_ * 1.01 : in_rate, variable ? 1 : out_rate, kChannels,
                        nullptr, nullptr, &quality, nullptr);
    if (variable) soxr_set_io_ratio(soxr_, ratio_, 0);
  }
  ~Soxr() override { soxr_delete(soxr_); }
  size_t run(const float* in, size_t frames, float* out, size_t room) override {
    size_t consumed = 0, produced = 0;
    while (consumed < frames) {
      size_t took = 0, gave = 0;
      soxr_process(soxr_, in + consumed * kChannels, frames - consumed, &took,
                   out + produced * kChannels, room - produced, &gave);
      consumed += took;
      produced += gave;
    }
    return produced;
  }
  bool set_ratio(double ratio) override {
    return soxr_set_io_ratio(soxr_, ratio_ * ratio, 0) == nullptr;
  }

 private:
  const double ratio_;
  soxr_t soxr_;
};

void add_soxr(std::vector<EngineKind>* kinds) {
  const auto add = [kinds](const char* name, unsigned long recipe, bool variable) {
    kinds->push_back({name, variable, [=](double in_rate, double out_rate) {
                        return std::make_unique<Soxr>(in_rate, out_rate, recipe, variable);
                      }});
  };
  add("libsoxr HQ", SOXR_HQ, false);
  add("libsoxr VHQ", SOXR_VHQ, false);
  add("libsoxr variable", SOXR_HQ, true);
}
#endif

#if HAVE_SAMPLERATE
class SampleRate final : public Engine {
 public:
  SampleRate(double in_rate, double out_rate, int converter)
      : state_(src_new(converter, kChannels, &error_)), ratio_(out_rate / in_rate), now_(ratio_) {}
  ~SampleRate() override { src_delete(state_); }
  size_t run(const float* in, size_t frames, float* out, size_t room) override {
    SRC_DATA data{};
    data.data_in = in;
    data.data_out = out;
    data.input_frames = static_cast<long>(frames);
    data.output_frames = static_cast<long>(room);
    data.src_ratio = now_;
    src_process(state_, &data);
    return static_cast<size_t>(data.output_frames_gen);
  }
  bool set_ratio(double ratio) override {
    now_ = ratio_ / ratio;
    return src_set_ratio(state_, now_) == 0;  // at once, not in a ramp over the next block
  }

 private:
  int error_ = 0;
  SRC_STATE* state_;
  const double ratio_;
  double now_;
};

void add_samplerate(std::vector<EngineKind>* kinds) {
  const auto add = [kinds](const char* name, int converter) {
    kinds->push_back({name, true, [=](double in_rate, double out_rate) {
                        return std::make_unique<SampleRate>(in_rate, out_rate, converter);
                      }});
  };
  add("libsamplerate BEST", SRC_SINC_BEST_QUALITY);
  add("libsamplerate MEDIUM", SRC_SINC_MEDIUM_QUALITY);
  add("libsamplerate FASTEST", SRC_SINC_FASTEST);
}
#endif

#if HAVE_SPEEXDSP
// It can change its ratio too, but computes its table again each time: resampler.cc measures what
// that costs.
class Speex final : public Engine {
 public:
  Speex(double in_rate, double out_rate, int quality) {
    // Steps of 10 Hz are fine enough for this comparison.
    const auto parts = [](double rate) {
      return static_cast<spx_uint32_t>(std::lround(rate * 10));
    };
    const auto whole = [](double rate) { return static_cast<spx_uint32_t>(std::lround(rate)); };
    state_ = speex_resampler_init_frac(kChannels, parts(in_rate), parts(out_rate), whole(in_rate),
                                       whole(out_rate), quality, nullptr);
  }
  ~Speex() override { speex_resampler_destroy(state_); }
  size_t run(const float* in, size_t frames, float* out, size_t room) override {
    auto took = static_cast<spx_uint32_t>(frames), gave = static_cast<spx_uint32_t>(room);
    speex_resampler_process_interleaved_float(state_, in, &took, out, &gave);
    return gave;
  }

 private:
  SpeexResamplerState* state_;
};

void add_speex(std::vector<EngineKind>* kinds) {
  const auto add = [kinds](const char* name, int quality) {
    kinds->push_back({name, false, [=](double in_rate, double out_rate) {
                        return std::make_unique<Speex>(in_rate, out_rate, quality);
                      }});
  };
  add("speexdsp q5", 5);
  add("speexdsp q10", 10);
}
#endif

}  // namespace

std::vector<EngineKind> engine_kinds() {
  std::vector<EngineKind> kinds;
  add_ours(&kinds);
#if HAVE_SOXR
  add_soxr(&kinds);
#endif
#if HAVE_SAMPLERATE
  add_samplerate(&kinds);
#endif
#if HAVE_SPEEXDSP
  add_speex(&kinds);
#endif
  return kinds;
}
