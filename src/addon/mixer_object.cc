#include "mixer_object.h"

#include <algorithm>

#include "host_object.h"
#include "tap_object.h"
#include "values.h"

namespace patchcord {
PumpSession::PumpSession(Clock& clock, std::shared_ptr<MixerNode> node)
    : task_(clock.start("mixer", Priority::kAudio,
                        [node = std::move(node)](int64_t now) { return node->pump(now); })) {}

Napi::Function MixerObject::define(Napi::Env env) {
  return DefineClass(env, "Mixer",
                     {
                         InstanceMethod<&MixerObject::start_pump>("startPump"),
                         InstanceMethod<&MixerObject::mix_written>("mixWritten"),
                         InstanceMethod<&MixerObject::written_out>("writtenOut"),
                         InstanceMethod<&MixerObject::finish>("finish"),
                         InstanceMethod<&MixerObject::take_events>("takeEvents"),
                         InstanceMethod<&MixerObject::stats>("stats"),
                         InstanceMethod<&MixerObject::level>("level"),
                         InstanceMethod<&MixerObject::time_at_frame>("timeAt"),
                         InstanceMethod<&MixerObject::frame_at_time>("frameAt"),
                         InstanceMethod<&MixerObject::position>("position"),
                     });
}

MixerObject::MixerObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<MixerObject>(info), environment_(Environment::of(info.Env())) {
  const Napi::Object options = info[0].As<Napi::Object>();
  MixerNode::Config config;
  config.sample_rate = property(options, "sampleRate").As<Napi::Number>().Uint32Value();
  config.channels = property(options, "channels").As<Napi::Number>().Uint32Value();
  config.latency_ns = property(options, "latencyMs").As<Napi::Number>().DoubleValue() * 1e6;
  config.max_wait_ns = property(options, "maxWaitMs").As<Napi::Number>().DoubleValue() * 1e6;
  config.limiter = property(options, "limiter").As<Napi::Boolean>();
  config.ends_with_inputs = property(options, "endWhenInputsEnd").As<Napi::Boolean>();
  if (is_true(property(options, "truePeak"))) config.peaks = LimiterPeaks::kTrue;
  if (config.sample_rate == 0 || config.channels == 0) return;
  waker_ = std::make_unique<Waker>(environment_, info.This().As<Napi::Object>(), info[1]);
  mix_ = std::make_shared<Mix>(config, waker_->bell());
  node_ = std::shared_ptr<MixerNode>(mix_, &mix_->node);
  info.This().As<Napi::Object>().Set("kind", "mixer");
}

MixerObject::~MixerObject() { stop_pump(); }

void MixerObject::stop_pump() {
  if (!pump_) return;
  pump_->release();
  environment_->remove(pump_);
  pump_.reset();
}

// startPump(host, begin): mixes by the host's clock while no sink pulls. A mix that has not begun
// begins with the sound recorded at `begin`, at most a second ago.
Napi::Value MixerObject::start_pump(const Napi::CallbackInfo& info) {
  HostObject* host = HostObject::Unwrap(info[0].As<Napi::Object>());
  if (host == nullptr) return info.Env().Undefined();
  stop_pump();
  pump_host_ = host->entry();
  bool lossless;
  node_->begin_at(std::max(info[1].As<Napi::BigInt>().Int64Value(&lossless),
                           pump_host_->clock().now() - kNsPerSecond));
  pump_ = std::make_shared<PumpSession>(pump_host_->clock(), node_);
  environment_->add(pump_);
  return info.Env().Undefined();
}

// mixWritten(frames): frames mixed
Napi::Value MixerObject::mix_written(const Napi::CallbackInfo& info) {
  const size_t wanted = info[0].As<Napi::Number>().Uint32Value();
  const size_t mixed = node_->mix_written(wanted);
  if (mixed > 0) environment_->stay_until_told(info.This());
  return Napi::Number::New(info.Env(), static_cast<double>(mixed));
}

// writtenOut(): whether all inputs have ended and all of it is mixed
Napi::Value MixerObject::written_out(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), node_->written_out());
}

Napi::Value MixerObject::finish(const Napi::CallbackInfo& info) {
  stop_pump();
  if (!finished_) {
    finished_ = true;
    if (pump_host_) node_->flush(pump_host_->clock().now());
    node_->finish();
    environment_->stay_until_told(info.This());
  }
  return info.Env().Undefined();
}

Napi::Value MixerObject::stats(const Napi::CallbackInfo& info) {
  Napi::Object value = Napi::Object::New(info.Env());
  value.Set("frames", static_cast<double>(node_->position()));
  value.Set("lagMs", node_->lag_ns() * 1e-6);
  value.Set("latencyMs", node_->latency_ns() * 1e-6);
  value.Set("limiterGain", node_->lowest_limiter_gain());
  value.Set("lostFrames", static_cast<double>(node_->lost_frames()));
  value.Set("skippedFrames", static_cast<double>(node_->skipped_frames()));
  return value;
}

Napi::Value MixerObject::take_events(const Napi::CallbackInfo& info) {
  return events_to_value(info.Env(), *mix_->events);
}

Napi::Value MixerObject::level(const Napi::CallbackInfo& info) {
  return level_to_value(info.Env(), node_->meter().snapshot().overall);
}

Napi::Value MixerObject::time_at_frame(const Napi::CallbackInfo& info) {
  return time_at(info.Env(), node_->anchor(), info[0]);
}

Napi::Value MixerObject::frame_at_time(const Napi::CallbackInfo& info) {
  return frame_at(info.Env(), node_->anchor(), info[0]);
}

Napi::Value MixerObject::position(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(node_->position()));
}

Napi::Function MixerInputObject::define(Napi::Env env) {
  return DefineClass(env, "MixerInput",
                     {
                         InstanceMethod<&MixerInputObject::link>("link"),
                         InstanceMethod<&MixerInputObject::open_written>("openWritten"),
                         InstanceMethod<&MixerInputObject::write>("write"),
                         InstanceMethod<&MixerInputObject::set_pending>("setPending"),
                         InstanceMethod<&MixerInputObject::end>("end"),
                         InstanceMethod<&MixerInputObject::unlink>("unlink"),
                         InstanceMethod<&MixerInputObject::remove>("remove"),
                         InstanceMethod<&MixerInputObject::stay>("stay"),
                         InstanceMethod<&MixerInputObject::set_gain>("setGain"),
                         InstanceMethod<&MixerInputObject::set_pan>("setPan"),
                         InstanceMethod<&MixerInputObject::set_muted>("setMuted"),
                         InstanceMethod<&MixerInputObject::take_events>("takeEvents"),
                         InstanceMethod<&MixerInputObject::stats>("stats"),
                         InstanceMethod<&MixerInputObject::level>("level"),
                     });
}

MixerInputObject::MixerInputObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<MixerInputObject>(info), environment_(Environment::of(info.Env())) {
  const MixerObject* owner = MixerObject::Unwrap(info[0].As<Napi::Object>());
  if (owner == nullptr) return;
  mix_ = owner->mix();
  waker_ = std::make_unique<Waker>(environment_, info.This().As<Napi::Object>(), info[1]);
  events_ = std::make_shared<NodeEvents>(waker_->bell());
  MixerNode::Input input;
  const MixerNode::Config& mixer = mix_->node.config();
  controls_ = std::make_shared<InputControls>(mixer.channels, mixer.sample_rate);
  input.controls = controls_;
  input.events = events_;
  input.start_frame = static_cast<uint64_t>(info[2].As<Napi::Number>().Int64Value());
  input.latency_ns = info[3].As<Napi::Number>().DoubleValue() * 1e6;
  if (info[4].IsObject()) duck(info[4].As<Napi::Object>());
  mix_->inputs.push_back(input);
  mix_->publish();
}

// { by: MixerInput, gain, threshold, attackFrames, holdFrames, releaseFrames }
void MixerInputObject::duck(const Napi::Object& options) {
  const Napi::Value by = property(options, "by");
  if (!by.IsObject()) return;
  const MixerInputObject* key = MixerInputObject::Unwrap(by.As<Napi::Object>());
  if (key == nullptr) return;
  const auto number = [&options](const char* name) {
    return property(options, name).As<Napi::Number>();
  };
  Ducker::Config config;
  config.gain = number("gain").FloatValue();
  config.threshold = number("threshold").FloatValue();
  config.attack_frames = number("attackFrames").Uint32Value();
  config.hold_frames = number("holdFrames").Uint32Value();
  config.release_frames = number("releaseFrames").Uint32Value();
  controls_->duck(key->controls_, config);
}

MixerInputObject::~MixerInputObject() { leave(); }

// Null once the input is removed.
MixerNode::Input* MixerInputObject::entry() {
  if (!mix_) return nullptr;
  for (MixerNode::Input& input : mix_->inputs) {
    if (input.controls == controls_) return &input;
  }
  return nullptr;
}

void MixerInputObject::disconnect() {
  if (MixerNode::Input* input = entry()) {
    input->ended = live_ ? live_->over() : written_ ? written_->finished() : input->ended;
    input->live.reset();
    input->written.reset();
    mix_->publish();
  }
  if (producer_) producer_->detach(live_->queue().get());
  producer_.reset();
  if (live_) links_.keep(*live_);
  live_.reset();
  written_.reset();
}

// link(source | mixer, bufferFrames, channelMap?)
Napi::Value MixerInputObject::link(const Napi::CallbackInfo& info) {
  disconnect();
  MixerNode::Input* input = entry();
  if (input == nullptr) return info.Env().Undefined();
  ProducerHandle* producer = producer_handle(info[0]);
  if (producer == nullptr) return info.Env().Undefined();
  const MixerNode::Config& config = mix_->node.config();
  auto queue = std::make_shared<FrameQueue>(producer->channels(), producer->sample_rate(),
                                            info[1].As<Napi::Number>().Uint32Value());
  live_ =
      std::make_shared<LiveInput>(queue, config.sample_rate, config.channels,
                                  channel_map_from(info[2], producer->channels(), config.channels));
  producer_ = producer->producer();
  producer_->attach(queue, nullptr);
  input->live = live_;
  input->ended = false;
  ++input->connection;
  mix_->publish();
  return info.Env().Undefined();
}

// openWritten(format, bufferFrames, channelMap, startFillFrames)
Napi::Value MixerInputObject::open_written(const Napi::CallbackInfo& info) {
  disconnect();
  MixerNode::Input* input = entry();
  if (input == nullptr) return info.Env().Undefined();
  const MixerNode::Config& mixer = mix_->node.config();
  WrittenInput::Config config;
  config.format = format_from_value(info[0]);
  config.channel_mask = channel_mask_from(info[0]);
  config.rate = mixer.sample_rate;
  config.channels = mixer.channels;
  config.buffer_frames = info[1].As<Napi::Number>().Uint32Value();
  config.start_frames = info[3].As<Napi::Number>().Uint32Value();
  const ChannelRouting routing = channel_routing_from(info[2]);
  auto map = routing.empty() ? nullptr : routing.map(config.format.channels, mixer.channels);
  written_ = std::make_shared<WrittenInput>(config, std::move(map), events_);
  input->written = written_;
  input->ended = false;
  ++input->connection;
  mix_->publish();
  return info.Env().Undefined();
}

// write(bytes): frames taken
Napi::Value MixerInputObject::write(const Napi::CallbackInfo& info) {
  if (!written_) return Napi::Number::New(info.Env(), 0);
  const auto bytes = info[0].As<Napi::Uint8Array>();
  const size_t frames = bytes.ByteLength() / bytes_per_frame(written_->config().format);
  return Napi::Number::New(info.Env(), static_cast<double>(written_->write(bytes.Data(), frames)));
}

Napi::Value MixerInputObject::set_pending(const Napi::CallbackInfo& info) {
  if (written_) written_->set_pending(info[0].As<Napi::Boolean>());
  return info.Env().Undefined();
}

Napi::Value MixerInputObject::end(const Napi::CallbackInfo& info) {
  if (written_) written_->end();
  return info.Env().Undefined();
}

Napi::Value MixerInputObject::unlink(const Napi::CallbackInfo& info) {
  disconnect();
  return info.Env().Undefined();
}

// remove(ended)
Napi::Value MixerInputObject::remove(const Napi::CallbackInfo& info) {
  if (mix_ && is_true(info[0])) mix_->node.note_end();
  leave();
  return info.Env().Undefined();
}

void MixerInputObject::leave() {
  if (!mix_) return;
  disconnect();
  auto& all = mix_->inputs;
  all.erase(
      std::remove_if(all.begin(), all.end(),
                     [this](const MixerNode::Input& one) { return one.controls == controls_; }),
      all.end());
  mix_->publish();
  waker_->silence();
  mix_.reset();
}

// stay(): its stream has ended; the input waits for another one.
Napi::Value MixerInputObject::stay(const Napi::CallbackInfo& info) {
  if (MixerNode::Input* input = entry()) {
    input->ended = false;
    mix_->publish();
  }
  return info.Env().Undefined();
}

// setGain(gain, rampFrames)
Napi::Value MixerInputObject::set_gain(const Napi::CallbackInfo& info) {
  controls_->set_gain(info[0].As<Napi::Number>().FloatValue(),
                      info[1].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

// setPan(pan, rampFrames)
Napi::Value MixerInputObject::set_pan(const Napi::CallbackInfo& info) {
  controls_->set_pan(info[0].As<Napi::Number>().FloatValue(),
                     info[1].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

// setMuted(muted, rampFrames)
Napi::Value MixerInputObject::set_muted(const Napi::CallbackInfo& info) {
  controls_->set_muted(info[0].As<Napi::Boolean>(), info[1].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

Napi::Value MixerInputObject::level(const Napi::CallbackInfo& info) {
  return level_to_value(info.Env(), controls_->meter().snapshot().overall);
}

Napi::Value MixerInputObject::take_events(const Napi::CallbackInfo& info) {
  return events_to_value(info.Env(), *events_);
}

Napi::Value MixerInputObject::stats(const Napi::CallbackInfo& info) {
  Napi::Object value = Napi::Object::New(info.Env());
  const auto set = [&value](const char* key, double number) { value.Set(key, number); };
  if (live_) {
    set("driftPpm", live_->ppm());
    set("offsetUs", live_->offset_us());
  }
  links_.tell(value, live_.get());
  if (written_) {
    set("writtenFrames", static_cast<double>(written_->stats().written_frames));
    set("playedFrames", static_cast<double>(written_->stats().played_frames));
    set("queuedFrames", static_cast<double>(written_->queued()));
    set("underruns", static_cast<double>(written_->stats().underruns));
    set("underrunFrames", static_cast<double>(written_->stats().underrun_frames));
  }
  return value;
}

}  // namespace patchcord
