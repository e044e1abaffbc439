// class Filter: one step of processing, driven by JavaScript's writes or linked into the engine.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "../core/graph/filter_node.h"
#include "../core/graph/reference_join.h"
#include "../core/signal/dither.h"
#include "../core/signal/echo_filter.h"
#include "../core/signal/format.h"
#include "../core/signal/gain.h"
#include "../core/signal/limiter.h"
#include "../core/signal/loudness_normalizer.h"
#include "../core/signal/metering.h"
#include "environment.h"
#include "link_counters.h"
#include "producer_handle.h"

namespace patchcord {

class FilterObject final : public Napi::ObjectWrap<FilterObject>, public ProducerHandle {
 public:
  static Napi::Function define(Napi::Env env);
  // (kind, from, to, options, onWake)
  explicit FilterObject(const Napi::CallbackInfo& info);
  ~FilterObject() override;

  std::shared_ptr<Producer> producer() const override { return node_; }
  uint32_t sample_rate() const override { return to_.sample_rate; }
  uint32_t channels() const override { return to_.channels; }
  bool dithers() const override { return dithered_; }

 private:
  std::unique_ptr<Filter> make_filter(const std::string& kind, const Napi::Object& options);
  template <class Effect>
  std::unique_ptr<Filter> effect_filter(std::shared_ptr<Effect> effect);
  void disconnect();
  Napi::Value process(const Napi::CallbackInfo& info);
  Napi::Value flush(const Napi::CallbackInfo& info);
  Napi::Value convert(Napi::Env env, const uint8_t* data, size_t frames, uint64_t limit,
                      const float* reference = nullptr);
  void join_reference(const Napi::CallbackInfo& info, const ProducerHandle& microphone);
  void report_echo(Napi::Object value) const;
  Napi::Value link(const Napi::CallbackInfo& info);
  Napi::Value unlink(const Napi::CallbackInfo& info);
  Napi::Value finish(const Napi::CallbackInfo& info);
  Napi::Value set_gain(const Napi::CallbackInfo& info);
  Napi::Value set_cancelling(const Napi::CallbackInfo& info);
  Napi::Value take_events(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value report(const Napi::CallbackInfo& info);
  Napi::Value level(const Napi::CallbackInfo& info);
  Napi::Value time_at_frame(const Napi::CallbackInfo& info);
  Napi::Value frame_at_time(const Napi::CallbackInfo& info);

  std::shared_ptr<Environment> environment_;
  Format from_, to_;
  bool dithered_ = false;  // the output has integers
  Dither dither_;
  uint64_t progress_frames_ = 0;
  std::unique_ptr<Filter> filter_;  // null once it is linked: then the node owns the filter
  std::shared_ptr<FilterNode> node_;
  std::shared_ptr<Producer> upstream_;
  std::unique_ptr<Waker> waker_;
  // The parts of the filter that are set and read while it runs.
  std::shared_ptr<GainRamp> gain_;
  std::shared_ptr<Limiter> limiter_;
  std::shared_ptr<Metering> metering_;
  std::shared_ptr<LoudnessNormalizer> normalizer_;
  // For an echo canceller: the filter takes frames of the microphone and its reference together.
  std::shared_ptr<EchoCanceller> echo_;
  double max_wait_ns_ = 0;
  std::shared_ptr<ReferenceJoin> join_;
  std::shared_ptr<Producer> reference_;
  LinkCounters reference_losses_;
  uint64_t in_frames_ = 0, out_frames_ = 0;  // of written bytes
  std::vector<float> in_, out_;
};

}  // namespace patchcord
