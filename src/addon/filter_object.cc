#include "filter_object.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "conversion.h"
#include "tap_object.h"
#include "values.h"

namespace patchcord {
namespace {

void report_meter(Napi::Object value, const Metering& metering) {
  const Napi::Env env = value.Env();
  const LevelMeter::Snapshot level = metering.level();
  const Loudness loudness = metering.loudness();
  value.Set("peakDb", decibels(level.overall.peak));
  value.Set("rmsDb", decibels(level.overall.rms));
  value.Set("truePeakDb", decibels(loudness.true_peak));
  value.Set("maxTruePeakDb", decibels(loudness.max_true_peak));
  value.Set("momentaryLufs", static_cast<double>(loudness.momentary));
  value.Set("shortTermLufs", static_cast<double>(loudness.short_term));
  value.Set("integratedLufs", static_cast<double>(loudness.integrated));
  value.Set("rangeLu", static_cast<double>(loudness.range));
  Napi::Array channels = Napi::Array::New(env, level.channels);
  for (uint32_t i = 0; i < level.channels; ++i) {
    channels.Set(i, level_to_value(env, level.channel[i]));
  }
  value.Set("channels", channels);
}

// Makes room for the reference's channels after each frame's own channels, beginning with the last
// frame.
void spread(std::vector<float>& frames, size_t count, size_t own, size_t width,
            const float* reference) {
  const size_t other = width - own;
  for (size_t i = count; i-- > 0;) {
    for (size_t c = own; c-- > 0;) frames[i * width + c] = frames[i * own + c];
    for (size_t c = 0; c < other; ++c) {
      frames[i * width + own + c] = reference == nullptr ? 0 : reference[i * other + c];
    }
  }
}

}  // namespace

Napi::Function FilterObject::define(Napi::Env env) {
  return DefineClass(env, "Filter",
                     {
                         InstanceMethod<&FilterObject::process>("process"),
                         InstanceMethod<&FilterObject::flush>("flush"),
                         InstanceMethod<&FilterObject::link>("link"),
                         InstanceMethod<&FilterObject::unlink>("unlink"),
                         InstanceMethod<&FilterObject::finish>("finish"),
                         InstanceMethod<&FilterObject::set_gain>("setGain"),
                         InstanceMethod<&FilterObject::set_cancelling>("setCancelling"),
                         InstanceMethod<&FilterObject::take_events>("takeEvents"),
                         InstanceMethod<&FilterObject::stats>("stats"),
                         InstanceMethod<&FilterObject::report>("report"),
                         InstanceMethod<&FilterObject::level>("level"),
                         InstanceMethod<&FilterObject::time_at_frame>("timeAt"),
                         InstanceMethod<&FilterObject::frame_at_time>("frameAt"),
                     });
}

FilterObject::FilterObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<FilterObject>(info),
      environment_(Environment::of(info.Env())),
      from_(format_from_value(info[1])),
      to_(format_from_value(info[2])) {
  const Napi::Object options = info[3].As<Napi::Object>();
  if (property(options, "progressFrames").IsNumber()) {
    progress_frames_ = property(options, "progressFrames").As<Napi::Number>().Uint32Value();
  }
  filter_ = make_filter(info[0].As<Napi::String>(), options);
  waker_ = std::make_unique<Waker>(environment_, info.This().As<Napi::Object>(), info[4]);
  in_.resize(kFilterBlock * filter_->in().channels);
  info.This().As<Napi::Object>().Set("kind", "filter");
}

FilterObject::~FilterObject() { disconnect(); }

std::unique_ptr<Filter> FilterObject::make_filter(const std::string& kind,
                                                  const Napi::Object& options) {
  const auto number = [&options](const char* name) {
    return property(options, name).As<Napi::Number>().DoubleValue();
  };
  if (kind == "gain") {
    gain_ = std::make_shared<GainRamp>(from_.channels, static_cast<float>(number("gain")));
    return effect_filter(gain_);
  }
  if (kind == "limiter") {
    const bool true_peak = is_true(property(options, "truePeak"));
    limiter_ = std::make_shared<Limiter>(from_.sample_rate, from_.channels,
                                         static_cast<float>(number("ceiling")),
                                         true_peak ? LimiterPeaks::kTrue : LimiterPeaks::kSamples);
    return effect_filter(limiter_);
  }
  if (kind == "normalizer") {
    normalizer_ = std::make_shared<LoudnessNormalizer>(from_.sample_rate, from_.channels,
                                                       number("targetLufs"), number("maxGainDb"));
    return effect_filter(normalizer_);
  }
  if (kind == "meter") {
    metering_ = std::make_shared<Metering>(from_.sample_rate, from_.channels);
    return effect_filter(metering_);
  }
  if (kind == "echo") {
    EchoFilter::Config config;
    config.sample_rate = from_.sample_rate;
    config.channels = from_.channels;
    config.reference_channels = static_cast<uint32_t>(number("referenceChannels"));
    config.tail_seconds = number("tailMs") * 1e-3;
    const std::string strength = property(options, "suppression").As<Napi::String>();
    config.suppression = strength == "off"    ? EchoSuppression::kOff
                         : strength == "high" ? EchoSuppression::kHigh
                                              : EchoSuppression::kModerate;
    max_wait_ns_ = number("maxWaitMs") * 1e6;
    auto filter = std::make_unique<EchoFilter>(config);
    echo_ = filter->canceller();
    return filter;
  }
  Conversion conversion(from_, to_, options);
  dithered_ = conversion.dithers;
  return std::move(conversion.filter);
}

template <class Effect>
std::unique_ptr<Filter> FilterObject::effect_filter(std::shared_ptr<Effect> effect) {
  return std::make_unique<EffectFilter<Effect>>(Filter::Shape{from_.sample_rate, from_.channels},
                                                std::move(effect));
}

// process(bytes of whole frames, reference?): Buffer. Not while it is linked. The reference has as
// many frames, in f32.
Napi::Value FilterObject::process(const Napi::CallbackInfo& info) {
  const auto bytes = info[0].As<Napi::Uint8Array>();
  const size_t frames = bytes.ByteLength() / bytes_per_frame(from_);
  in_frames_ += frames;
  const float* reference = nullptr;
  if (info[1].IsTypedArray()) reference = info[1].As<Napi::Float32Array>().Data();
  return convert(info.Env(), bytes.Data(), frames, UINT64_MAX, reference);
}

// flush(): the rest, so that in all round(framesIn x out / in) frames have come out
Napi::Value FilterObject::flush(const Napi::CallbackInfo& info) {
  const uint64_t length = converted_frames(in_frames_, from_.sample_rate, to_.sample_rate);
  const uint64_t left = length - std::min(length, out_frames_);
  const size_t zeros = filter_->held_frames() + from_.sample_rate / to_.sample_rate + 1;
  return convert(info.Env(), nullptr, left == 0 ? 0 : zeros, left);
}

Napi::Value FilterObject::convert(Napi::Env env, const uint8_t* data, size_t frames, uint64_t limit,
                                  const float* reference) {
  const size_t own = from_.channels, width = filter_->in().channels;
  out_.clear();
  size_t made = 0;
  for (size_t done = 0; done < frames;) {
    const size_t block = std::min(kFilterBlock, frames - done);
    const float* in = nullptr;
    if (data != nullptr) {
      to_float(data + done * bytes_per_frame(from_), from_.sample_format, in_.data(), block * own);
      if (width > own) {
        spread(in_, block, own, width,
               reference == nullptr ? nullptr : reference + done * (width - own));
      }
      in = in_.data();
    }
    out_.resize((made + filter_->most_out(block)) * to_.channels);
    made += filter_->process(in, block, out_.data() + made * to_.channels);
    done += block;
  }
  made = static_cast<size_t>(std::min<uint64_t>(made, limit));
  out_frames_ += made;
  auto buffer = Napi::Buffer<uint8_t>::New(env, made * bytes_per_frame(to_));
  if (buffer.IsEmpty()) return buffer;  // the worker has begun to end
  if (dithered_) {
    from_float(out_.data(), to_.sample_format, buffer.Data(), made * to_.channels, dither_);
  } else {
    from_float(out_.data(), to_.sample_format, buffer.Data(), made * to_.channels);
  }
  return buffer;
}

// link(source | mixer | filter, ends, reference?, referenceBufferFrames?): what it produces is
// processed on its audio thread, without JavaScript.
Napi::Value FilterObject::link(const Napi::CallbackInfo& info) {
  disconnect();
  ProducerHandle* producer = producer_handle(info[0]);
  if (producer == nullptr) return info.Env().Undefined();
  if (!node_) {
    node_ = std::make_shared<FilterNode>(std::move(filter_), progress_frames_,
                                         std::make_shared<NodeEvents>(waker_->bell()));
  }
  node_->set_ends(info[1].As<Napi::Boolean>());
  upstream_ = producer->producer();
  if (echo_) join_reference(info, *producer);
  upstream_->attach(join_ ? std::shared_ptr<Receiver>(join_) : node_, nullptr);
  return info.Env().Undefined();
}

void FilterObject::join_reference(const Napi::CallbackInfo& info,
                                  const ProducerHandle& microphone) {
  ProducerHandle* reference = producer_handle(info[2]);
  if (reference == nullptr) return;
  ReferenceJoin::Config config;
  config.sample_rate = microphone.sample_rate();
  config.channels = microphone.channels();
  config.reference_channels = echo_->reference_channels();
  config.lead_ns = EchoFilter::kLeadSeconds * 1e9;
  config.max_wait_ns = max_wait_ns_;
  auto queue = std::make_shared<FrameQueue>(reference->channels(), reference->sample_rate(),
                                            info[3].As<Napi::Number>().Uint32Value());
  join_ = std::make_shared<ReferenceJoin>(
      config, std::make_shared<LiveInput>(queue, config.sample_rate, config.reference_channels));
  join_->attach(node_, nullptr);
  reference_ = reference->producer();
  reference_->attach(queue, nullptr);
}

void FilterObject::disconnect() {
  if (upstream_) upstream_->detach(join_ ? static_cast<Receiver*>(join_.get()) : node_.get());
  upstream_.reset();
  if (!join_) return;
  join_->flush();
  reference_->detach(join_->reference().queue().get());
  reference_.reset();
  reference_losses_.keep(join_->reference());
  join_.reset();
}

Napi::Value FilterObject::unlink(const Napi::CallbackInfo& info) {
  disconnect();
  return info.Env().Undefined();
}

// finish(): the frames held back come out, then the stream ends
Napi::Value FilterObject::finish(const Napi::CallbackInfo& info) {
  disconnect();
  if (node_) node_->finish();
  environment_->stay_until_told(info.This());
  return info.Env().Undefined();
}

// setGain(gain, rampFrames)
Napi::Value FilterObject::set_gain(const Napi::CallbackInfo& info) {
  gain_->set(info[0].As<Napi::Number>().FloatValue(), info[1].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

// setCancelling(whether an echo filter cancels)
Napi::Value FilterObject::set_cancelling(const Napi::CallbackInfo& info) {
  echo_->set_cancelling(info[0].As<Napi::Boolean>());
  return info.Env().Undefined();
}

Napi::Value FilterObject::take_events(const Napi::CallbackInfo& info) {
  if (!node_) return Napi::Array::New(info.Env());
  return events_to_value(info.Env(), *node_->events());
}

// stats(): { framesIn, framesOut, latencyFrames }
Napi::Value FilterObject::stats(const Napi::CallbackInfo& info) {
  Napi::Object value = Napi::Object::New(info.Env());
  value.Set("framesIn", static_cast<double>(node_ ? node_->taken() : in_frames_));
  value.Set("framesOut", static_cast<double>(node_ ? node_->position() : out_frames_));
  value.Set("latencyFrames",
            static_cast<double>(node_ ? node_->held_frames() : filter_->held_frames()));
  return value;
}

// report(): the measurements of this kind of filter
Napi::Value FilterObject::report(const Napi::CallbackInfo& info) {
  Napi::Object value = Napi::Object::New(info.Env());
  if (limiter_) value.Set("lowestGain", limiter_->lowest_gain());
  if (metering_) report_meter(value, *metering_);
  if (echo_) report_echo(value);
  if (normalizer_) {
    value.Set("gainDb", static_cast<double>(normalizer_->gain_db()));
    value.Set("inputLufs", static_cast<double>(normalizer_->loudness().short_term));
  }
  return value;
}

void FilterObject::report_echo(Napi::Object value) const {
  const EchoReport report = echo_->report();
  value.Set("erleDb", static_cast<double>(report.erle_db));
  value.Set("delayMs", static_cast<double>(report.delay_ms) - EchoFilter::kLeadSeconds * 1e3);
  value.Set("converged", report.converged);
  value.Set("doubleTalk", report.double_talk);
  value.Set("referenceSounds", report.reference_sounds);
  value.Set("unexplainedMs", static_cast<double>(report.unexplained_seconds) * 1e3);
  Napi::Object reference = Napi::Object::New(value.Env());
  reference_losses_.tell(reference, join_ ? &join_->reference() : nullptr);
  if (join_) {
    reference.Set("driftPpm", join_->reference().ppm());
    reference.Set("offsetUs", join_->reference().offset_us());
    reference.Set("waitMs", join_->waiting_ns() * 1e-6);
  }
  value.Set("reference", reference);
}

Napi::Value FilterObject::level(const Napi::CallbackInfo& info) {
  if (!node_) return info.Env().Undefined();
  return level_to_value(info.Env(), node_->meter().snapshot().overall);
}

Napi::Value FilterObject::time_at_frame(const Napi::CallbackInfo& info) {
  if (!node_) return info.Env().Undefined();
  return time_at(info.Env(), node_->anchor(), info[0]);
}

Napi::Value FilterObject::frame_at_time(const Napi::CallbackInfo& info) {
  if (!node_) return info.Env().Undefined();
  return frame_at(info.Env(), node_->anchor(), info[0]);
}

}  // namespace patchcord
